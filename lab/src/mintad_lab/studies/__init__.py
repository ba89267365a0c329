"""Studies: the comparisons of the MINT-AD paper, each a table over settings and seeds.

`mintad_lab.studies.running.run_settings` runs any list of settings; `catalogue` holds the paper's.
"""
