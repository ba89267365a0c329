"""From a trained model to something that runs: today in torch itself."""
