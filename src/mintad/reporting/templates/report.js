document.documentElement.classList.add("js");

const rows = document.querySelector("#products");
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const header = button.closest("th");
    const upwards = header.getAttribute("aria-sort") === "descending";
    document.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    const column = Number(button.dataset.column);
    const key = (row) => row.cells[column].dataset.value;
    const order = (one, other) => {
      if (column === 0) return key(one).localeCompare(key(other)) * (upwards ? -1 : 1);
      if (key(one) === "" || key(other) === "") return (key(one) === "") - (key(other) === "");
      return (key(one) - key(other)) * (upwards ? 1 : -1);
    };
    rows.append(...[...rows.rows].sort(order));
  });
}

const dialog = document.querySelector("dialog");
for (const figure of document.querySelectorAll("figure")) {
  const panels = figure.querySelector(".panels");
  panels.tabIndex = 0;
  panels.setAttribute("role", "button");
  panels.setAttribute("aria-label", "Enlarge the images");
  const open = () => {
    const shown = figure.cloneNode(true);
    shown.querySelector(".panels").removeAttribute("tabindex");
    shown.querySelector(".panels").removeAttribute("role");
    dialog.replaceChildren(shown);
    dialog.showModal();
  };
  panels.addEventListener("click", open);
  panels.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    open();
  });
}
dialog.addEventListener("click", () => dialog.close());
