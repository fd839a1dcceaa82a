// Makes elements; text is always text, never markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const at = (id) => document.getElementById(id);

// A table from columns {title, of(row, its number), number} and rows; `choose(row)` makes rows selectable.
function table(columns, rows, { choose, id } = {}) {
  const cell = (column, row, n) => h("td", { class: column.number ? "number" : null }, column.of(row, n) ?? "");
  const line = (row, n) => {
    const attributes = choose && id(row) ? { class: "choice", "data-network": id(row), onclick: () => choose(row) } : {};
    return h("tr", attributes, columns.map((column) => cell(column, row, n)));
  };
  return h("table", null,
    h("thead", null, h("tr", null, columns.map((c) => h("th", { scope: "col", class: c.number ? "number" : null }, c.title)))),
    h("tbody", null, rows.map(line)));
}
