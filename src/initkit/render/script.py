"""What makes a page alive: sorting, search, rules to copy, long tables drawn as one scrolls."""

from __future__ import annotations

# A notebook may run it from elsewhere, so it looks for pieces that are not alive yet. Rows are read
# from the HTML of their cells, which those in the page have, and those that are packed.
SCRIPT = """
(function () {
  var LETTERS = {amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'", nbsp: "\\u00a0"};
  var collator = new Intl.Collator("en", {numeric: true});
  function make(tag, text) {
    var made = document.createElement(tag);
    if (text) made.textContent = text;
    return made;
  }
  function plain(html) {
    return html.replace(/<(?:[^">]|"[^"]*")*>/g, "")
      .replace(/&(amp|lt|gt|quot|#x27|nbsp);/g, function (all, name) { return LETTERS[name]; });
  }
  function standing(body) {
    var nodes = Array.from(body.rows);
    return {
      count: nodes.length,
      node: function (i) { return nodes[i]; },
      cell: function (i, column) { return nodes[i].cells[column].outerHTML; },
      told: function (i, key) { return nodes[i].dataset[key] || ""; }
    };
  }
  function packed(data) {
    var nodes = [], template = make("template");
    function at(column, i) { return column.texts[column.at ? column.at[i] : i]; }
    return {
      count: data.count,
      node: function (i) {
        if (!nodes[i]) {
          template.innerHTML = data.cells.reduce(function (row, column) {
            return row + at(column, i);
          }, "<tr>");
          nodes[i] = template.content.firstChild;
        }
        return nodes[i];
      },
      cell: function (i, column) { return at(data.cells[column], i); },
      told: function (i, key) { return at(data.marks[key], i); }
    };
  }
  function unpacked(text) {
    var letters = atob(text), bytes = new Uint8Array(letters.length);
    for (var i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
    var stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).json();
  }
  function start(table, rows, rest) {
    var body = table.tBodies[0], heads = Array.from(table.tHead.rows[0].cells);
    var scroller = table.parentNode, tools = make("div"), filters = [], texts = [];
    var places = new Map(), picked = new Set(), order = [], seen, drawn, copy = make("button");
    for (var place = 0; place < rows.count; place++) order.push(place);
    tools.className = "tools";
    scroller.parentNode.insertBefore(tools, scroller);
    function text(i) {
      if (texts[i] === undefined) {
        texts[i] = heads.map(function (head, c) { return plain(rows.cell(i, c)); }).join("\\n")
          .toLowerCase();
      }
      return texts[i];
    }
    function draw() {
      var end = rest ? Math.min(seen.length, drawn + 500) : seen.length;
      var some = document.createDocumentFragment();
      for (; drawn < end; drawn++) {
        some.appendChild(rows.node(seen[drawn]));
        places.set(rows.node(seen[drawn]), seen[drawn]);
      }
      body.appendChild(some);
      if (rest) {
        rest.textContent = drawn === seen.length ? "" : drawn.toLocaleString("en") + " of "
          + seen.length.toLocaleString("en") + " rows are drawn; scroll down for more";
      }
    }
    function refresh() {
      seen = order.filter(function (i) {
        return filters.every(function (wants) { return wants(i); });
      });
      drawn = 0;
      copy.textContent = "copy rules";
      body.replaceChildren();
      draw();
    }
    scroller.addEventListener("scroll", function () {
      var below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
      if (drawn < seen.length && below < 2 * scroller.clientHeight) draw();
    });
    function offer(node, wants) { filters.push(wants); tools.appendChild(node); }
    var box = make("input");
    box.type = "search";
    box.placeholder = "search " + rows.count.toLocaleString("en") + " rows";
    box.setAttribute("aria-label", "search this table");
    box.oninput = refresh;
    offer(box, function (i) {
      return !box.value || text(i).indexOf(box.value.toLowerCase()) >= 0;
    });
    function told(key) {
      var found = {};
      order.forEach(function (i) {
        rows.told(i, key).split(" ").forEach(function (word) { if (word) found[word] = 1; });
      });
      return Object.keys(found).sort();
    }
    if (told("k").length > 1) {
      var kinds = make("select");
      kinds.setAttribute("aria-label", "show one kind");
      kinds.appendChild(new Option("every kind", ""));
      told("k").forEach(function (kind) { kinds.appendChild(new Option(kind)); });
      kinds.onchange = refresh;
      offer(kinds, function (i) { return !kinds.value || rows.told(i, "k") === kinds.value; });
    }
    told("s").forEach(function (state) {
      var label = make("label"), tick = make("input");
      tick.type = "checkbox";
      tick.style.minWidth = 0;
      tick.onchange = refresh;
      label.append(tick, " " + state);
      offer(label, function (i) {
        return !tick.checked || rows.told(i, "s").split(" ").indexOf(state) >= 0;
      });
    });
    function rules(i) {
      var value = rows.told(i, "r"), name = rows.cell(i, 0);
      var key = rows.told(i, "q") || "'" + plain(name) + "'";
      var inside = /<.summary>([^]*)<.details>/.exec(name);
      var names = inside ? plain(inside[1]).split("\\n") : [], word = box.value.toLowerCase();
      var found = names.filter(function (one) { return one.toLowerCase().indexOf(word) >= 0; });
      var some = word && found.length && found.length < names.length;
      // What was looked for is one layer of many: its names, and not the glob of all; but a rule
      // over several parameters, whose key lists them in braces, starts them as one.
      if (!some || /[ {]/.test(found.join("") + key)) return [key + ": " + value + ","];
      return found.map(function (one) { return "'" + one + "': " + value + ","; });
    }
    if (told("r").length) {
      copy.title = "rules for the rows that you clicked, or for all that the filters leave";
      copy.onclick = function () {
        var chosen = seen.filter(function (i) { return picked.has(i); }), known = new Set();
        (chosen.length ? chosen : seen).forEach(function (i) {
          if (rows.told(i, "r")) rules(i).forEach(function (line) { known.add(line); });
        });
        var text = "{\\n    " + Array.from(known).join("\\n    ") + "\\n}\\n";
        function done() { copy.textContent = "copied " + known.size; }
        function byHand() { window.prompt("copy", text); }
        if (!known.size) copy.textContent = "no rule in sight";
        else if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand);
        else byHand();
      };
      tools.appendChild(copy);
      body.addEventListener("click", function (event) {
        var row = event.target.closest("tr"), i = places.get(row);
        if (!row || event.target.closest("summary")) return;
        if (!picked.delete(i)) picked.add(i);
        row.ariaSelected = picked.has(i) ? "true" : "false";
      });
    }
    heads.forEach(function (head, c) {
      function sort() {
        var sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        var keys = order.map(function (i) { return i; });
        order.forEach(function (i) {
          var cell = rows.cell(i, c), given = /^<td(?:[^">]|"[^"]*")*? data-o="([^"]*)"/.exec(cell);
          keys[i] = plain(given ? given[1] : cell);
        });
        heads.forEach(function (other) { other.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        order.sort(function (one, two) {
          var a = keys[one], b = keys[two], difference = a - b;
          var numbers = a !== "" && b !== "" && difference === difference;
          return sign * (numbers ? difference : collator.compare(a, b));
        });
        refresh();
      }
      head.tabIndex = 0;
      head.setAttribute("aria-sort", "none");
      head.onclick = sort;
      head.onkeydown = function (event) { if (event.key === "Enter") sort(); };
    });
    refresh();
  }
  document.querySelectorAll(".initkit:not([data-live]) table").forEach(function (table) {
    var section = table.closest("section"), data = section.querySelector("script");
    function asItStands() { start(table, standing(table.tBodies[0])); }
    if (!data) asItStands();
    else {
      Promise.resolve(data.textContent).then(unpacked).then(function (found) {
        start(table, packed(found), section.querySelector(".rest"));
      }, asItStands);
    }
  });
  document.querySelectorAll(".initkit").forEach(function (piece) { piece.dataset.live = ""; });
})();
"""
