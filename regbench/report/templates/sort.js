"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.order === undefined) return cell.textContent.trim();
    return cell.dataset.order === "" ? null : Number(cell.dataset.order);
  };
  const compare = (one, other) =>
    typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const rising = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      const missing = (entry) => entry[0] === null || entry[0] === "";
      rows.sort((one, other) => missing(one) - missing(other) || (rising ? 1 : -1) * compare(one[0], other[0]));
      body.append(...rows.map((entry) => entry[1]));
    });
  });
}
