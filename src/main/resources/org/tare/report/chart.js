"use strict";
/* Pictures as SVG. Nothing here knows of the page around it. */
const Chart = (() => {
  const SPACE = "http://www.w3.org/2000/svg";
  const WIDTH = 900;

  function svg(tag, attributes, ...children) {
    const node = document.createElementNS(SPACE, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  /* A figure as text: four digits, and words for what JSON has no number for. */
  function text(x, digits = 4) {
    if (x === null || x === undefined) return "–";
    if (x === "inf") return "∞";
    if (x === "-inf") return "−∞";
    if (x === 0) return "0";
    const size = Math.abs(x);
    if (Number.isInteger(x) && size < 1e15) return x.toLocaleString("en-US");
    return size < 1e-3 || size >= 1e6 ? x.toExponential(digits - 2) : String(Number(x.toPrecision(digits)));
  }

  function value(x) {
    return x === "inf" ? Infinity : x === "-inf" ? -Infinity : x === null || x === undefined ? NaN : x;
  }

  /* About count round numbers from low to high. */
  function ticks(low, high, count) {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find(one => one * power >= rough * 0.999);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
    return found;
  }

  /* Where values lie from left to right, and the bars of a tensor there: linear, or by powers of two to both sides of zero. */
  function across(tensor, kind, left, right, ends) {
    return kind === "log" ? logarithmic(tensor, left, right, ends) : linear(tensor, left, right, ends);
  }

  function linear(tensor, left, right, ends) {
    const { from, to, counts } = tensor.linear;
    let low = Math.min(from, ...ends), high = Math.max(to, ...ends);
    const margin = (high - low) * 0.02;
    low -= margin; high += margin;
    const x = at => left + (at - low) / (high - low) * (right - left);
    const width = (to - from) / counts.length;
    return {
      x,
      bars: counts.map((count, i) => ({ low: from + i * width, high: from + (i + 1) * width, count })),
      ticks: ticks(low, high, 8).map(at => ({ x: x(at), text: text(at) })),
    };
  }

  function logarithmic(tensor, left, right, ends) {
    const { top, negative, positive } = tensor.log;
    const floor = top - Math.max(negative.length, positive.length) + 1;
    const reach = end => Math.max(0, Math.min(2 * Math.log2(Math.abs(end)) - floor, top - floor + 4)) + 1;
    const below = Math.max(negative.length ? top - floor + 2 : 0, ...ends.filter(end => end < 0).map(reach), 1);
    const above = Math.max(positive.length ? top - floor + 2 : 0, ...ends.filter(end => end > 0).map(reach), 1);
    const place = at => at === 0 ? 0 : Math.sign(at) * Math.max(0.5, reach(at));
    const x = at => left + (place(at) + below) / (below + above) * (right - left);
    const side = (counts, sign) => counts.map((count, i) => {
      const small = sign * 2 ** ((top - i) / 2), large = sign * 2 ** ((top - i + 1) / 2);
      return sign < 0 ? { low: large, high: small, count } : { low: small, high: large, count };
    });
    const marks = [];
    const every = Math.max(2, 2 * Math.ceil((below + above) / 20));
    for (let half = top + 1 - (top + 1) % 2; half >= floor; half -= every) {
      if (positive.length) marks.push(2 ** (half / 2));
      if (negative.length) marks.push(-(2 ** (half / 2)));
    }
    return {
      x,
      bars: [...side(negative, -1), ...side(positive, 1)].filter(bar => bar.count > 0),
      ticks: [{ x: x(0), text: "0" }, ...marks.map(at => ({ x: x(at), text: text(at, 3) }))],
    };
  }

  function heights(kind, most, height) {
    if (kind === "log") return count => count <= 0 ? 0 : Math.max(1, height * Math.log1p(count) / Math.log1p(most));
    if (kind === "root") return count => count <= 0 ? 0 : Math.max(1, height * Math.sqrt(count / most));
    return count => count <= 0 ? 0 : Math.max(0.7, height * count / most);
  }

  function path(bars, x, height, bottom) {
    return bars.map(bar => {
      const left = x(bar.low), tall = height(bar.count);
      return `M${left.toFixed(1)} ${bottom}v${(-tall).toFixed(1)}h${Math.max(0.6, x(bar.high) - left - 0.3).toFixed(1)}v${tall.toFixed(1)}z`;
    }).join("");
  }

  /* Bars within the chosen range, bars beyond it, and the range behind them. */
  function bars(tensor, chart, kind, top, bottom) {
    const height = heights(kind, Math.max(...chart.bars.map(bar => bar.count), 1e-300), bottom - top);
    const low = chart.x(tensor.low), high = chart.x(tensor.high);
    const { from, to } = tensor.linear;
    const within = (least, greatest) => chart.bars.filter(bar => bar.count > 0)
      .map(bar => ({ low: Math.max(bar.low, least), high: Math.min(bar.high, greatest), count: bar.count }))
      .filter(bar => bar.low < bar.high || (bar.low === bar.high && least < greatest));
    const parts = [
      svg("rect", { class: "kept", x: low, y: top, width: Math.max(1, high - low), height: bottom - top }),
      svg("path", { class: "bars", d: path(within(Math.max(from, tensor.low), Math.min(to, tensor.high)), chart.x, height, bottom) }),
      svg("path", { class: "beyond", d: path([...within(from, Math.min(to, tensor.low)), ...within(Math.max(from, tensor.high), to)], chart.x, height, bottom) }),
    ];
    if (tensor.zeros > 0) {
      const tall = Math.min(bottom - top, height(tensor.zeros));
      parts.push(svg("rect", { class: "zero", x: chart.x(0) - 1.5, y: bottom - tall, width: 3, height: tall }));
    }
    return parts;
  }

  function thumbnail(tensor) {
    const width = 180, height = 40;
    const picture = svg("svg", { width, height, role: "img", "aria-label": `from ${text(tensor.min)} to ${text(tensor.max)}` });
    picture.append(...bars(tensor, across(tensor, "linear", 0, width, [tensor.low, tensor.high]), "root", 0, height));
    return picture;
  }

  /* One tensor large. marks: name of class, low, high and letter of each range that is drawn over it. */
  function histogram(tensor, xKind, yKind, marks) {
    const height = 360, top = 34, bottom = height - 26, left = 8, right = WIDTH - 8;
    const ends = [tensor.low, tensor.high, ...marks.flatMap(mark => [mark.low, mark.high])];
    const chart = across(tensor, xKind, left, right, ends);
    const picture = svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, role: "img",
      "aria-label": `Histogram of ${tensor.name}, from ${text(tensor.min)} to ${text(tensor.max)}` });
    picture.append(...bars(tensor, chart, yKind, top, bottom));
    picture.append(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }));
    for (const tick of chart.ticks) {
      if (tick.x < left - 1 || tick.x > right + 1) continue;
      picture.append(svg("line", { class: "axis", x1: tick.x, x2: tick.x, y1: bottom, y2: bottom + 4 }),
        svg("text", { x: tick.x, y: bottom + 18, "text-anchor": tick.x < 30 ? "start" : tick.x > WIDTH - 30 ? "end" : "middle" }, tick.text));
    }
    const places = marks.flatMap(mark => [mark.low, mark.high].map(end => ({ mark, x: chart.x(end) }))).sort((a, b) => a.x - b.x);
    let group = null;
    const name = () => {
      if (group) picture.append(svg("text", { class: "label", x: Math.min(right, Math.max(left, group.x)), y: 16,
        "text-anchor": group.x < 60 ? "start" : group.x > WIDTH - 60 ? "end" : "middle" }, [...group.letters].sort().join(" ")));
    };
    for (const { mark, x } of places) {
      picture.append(svg("line", { class: `mark ${mark.style}`, x1: x, x2: x, y1: 22, y2: bottom, "stroke-dasharray": mark.dashes }));
      /* Letters of ranges that end at one place stand beside each other. */
      if (group && x - group.last < 14) { group.letters.add(mark.letter); group.last = x; continue; }
      name();
      group = { x, last: x, letters: new Set([mark.letter]) };
    }
    name();
    return picture;
  }

  /* Low and high of each channel, or of each few neighbours. */
  function channels(found, low, high) {
    const height = 200, top = 8, bottom = height - 24, left = 70, right = WIDTH - 8;
    const lows = found.low.map(value).filter(Number.isFinite), highs = found.high.map(value).filter(Number.isFinite);
    const least = Math.min(...lows, low ?? 0), greatest = Math.max(...highs, high ?? 0);
    const y = at => bottom - (at - least) / (greatest - least || 1) * (bottom - top);
    const step = (right - left) / found.low.length;
    const picture = svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, role: "img",
      "aria-label": `Ranges of ${found.count} channels, within ${text(least)} and ${text(greatest)}` });
    if (low !== undefined) picture.append(svg("rect", { class: "kept", x: left, y: y(high), width: right - left, height: Math.max(1, y(low) - y(high)) }));
    rows(picture, least, greatest, y, left, right, 4);
    found.low.forEach((from, i) => {
      const a = value(from), b = value(found.high[i]);
      if (Number.isFinite(a) && Number.isFinite(b)) {
        picture.append(svg("rect", { class: "bars", x: left + i * step, y: y(b), width: Math.max(0.6, step * 0.8), height: Math.max(1, y(a) - y(b)) }));
      }
    });
    picture.append(svg("text", { x: left, y: height - 6 }, "channel 0"),
      svg("text", { x: right, y: height - 6, "text-anchor": "end" }, `channel ${found.count - 1}`));
    return picture;
  }

  function rows(picture, low, high, y, left, right, count) {
    for (const at of ticks(low, high === low ? low + 1 : high, count)) {
      picture.append(svg("line", { class: "grid", x1: left, x2: right, y1: y(at), y2: y(at) }),
        svg("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, text(at)));
    }
  }

  /* Lines over common places; infinite values are drawn at the edge, missing ones leave a gap. Arrow keys and pointer move a
     cursor and tell its place. series: name, style, dashes, values; isSparse where a gap is no gap. */
  function lines(title, series, xs, xText, unit, tell) {
    const height = 320, top = 12, bottom = height - 30, left = 70, right = WIDTH - 12;
    const finite = series.flatMap(one => one.values).filter(Number.isFinite);
    let low = Math.min(...finite, finite.length ? Infinity : 0), high = Math.max(...finite, finite.length ? -Infinity : 1);
    if (low === high) { low -= 1; high += 1; }
    const margin = (high - low) * 0.05;
    low -= margin; high += margin;
    const first = xs[0], last = xs[xs.length - 1];
    const x = at => left + (last === first ? 0.5 : (at - first) / (last - first)) * (right - left);
    const y = at => Math.max(top, Math.min(bottom, bottom - (at - low) / (high - low) * (bottom - top)));
    const picture = svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", tabindex: 0, "aria-label": `${title}. Arrow keys tell each place.` });
    rows(picture, low, high, y, left, right, 6);
    picture.append(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
      svg("text", { x: left, y: height - 8 }, xText(0)), svg("text", { x: right, y: height - 8, "text-anchor": "end" }, xText(xs.length - 1)),
      svg("text", { x: 4, y: top + 4 }, unit));
    for (const one of series) {
      let drawn = "", isOn = false;
      one.values.forEach((at, i) => {
        if (Number.isNaN(at)) { isOn = isOn && one.isSparse; return; }
        drawn += `${isOn ? "L" : "M"}${x(xs[i]).toFixed(1)} ${y(at).toFixed(1)}`;
        isOn = true;
      });
      picture.append(svg("path", { class: `mark ${one.style}`, d: drawn, "stroke-dasharray": one.dashes, "stroke-linejoin": "round" }));
      if (xs.length <= 200) one.values.forEach((at, i) => {
        if (!Number.isNaN(at)) picture.append(svg("circle", { class: `dot ${one.style}`, cx: x(xs[i]), cy: y(at), r: 3 }));
      });
    }
    const cursor = svg("line", { class: "cursor", y1: top, y2: bottom, x1: -9, x2: -9 });
    picture.append(cursor);
    let place = -1;
    const move = to => {
      place = Math.max(0, Math.min(xs.length - 1, to));
      cursor.setAttribute("x1", x(xs[place]));
      cursor.setAttribute("x2", x(xs[place]));
      tell(place);
    };
    picture.addEventListener("keydown", event => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: xs.length - 1 }[event.key];
      if (to !== undefined) { event.preventDefault(); move(to); }
    });
    picture.addEventListener("pointermove", event => {
      const box = picture.getBoundingClientRect();
      const at = (event.clientX - box.left) / box.width * WIDTH;
      let near = 0;
      xs.forEach((one, i) => { if (Math.abs(x(one) - at) < Math.abs(x(xs[near]) - at)) near = i; });
      move(near);
    });
    return picture;
  }

  /* Cost against metric: all points, a line through those that no other beats, the target. */
  function front(points, best, unit, metric, target) {
    const height = 340, top = 16, bottom = height - 34, left = 70, right = WIDTH - 16;
    const costs = points.map(point => point.cost), metrics = points.map(point => point.metric);
    let low = Math.min(...metrics, target ?? Infinity), high = Math.max(...metrics, target ?? -Infinity);
    let least = Math.min(...costs), most = Math.max(...costs);
    const yMargin = (high - low) * 0.08 || 1, xMargin = (most - least) * 0.05 || 1;
    low -= yMargin; high += yMargin; least -= xMargin; most += xMargin;
    const x = at => left + (at - least) / (most - least) * (right - left);
    const y = at => bottom - (at - low) / (high - low) * (bottom - top);
    const picture = svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `${unit} against ${metric}; the table below has the same points.` });
    rows(picture, low, high, y, left, right, 6);
    for (const at of ticks(least, most, 6)) picture.append(svg("text", { x: x(at), y: height - 14, "text-anchor": "middle" }, text(at)));
    picture.append(svg("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
      svg("text", { x: right, y: height - 1, "text-anchor": "end" }, unit), svg("text", { x: 4, y: top - 2 }, metric));
    if (target !== undefined) picture.append(svg("line", { class: "mark c2", x1: left, x2: right, y1: y(target), y2: y(target), "stroke-dasharray": "6 4" }),
      svg("text", { x: right, y: y(target) - 5, "text-anchor": "end" }, "target"));
    picture.append(svg("path", { class: "mark c0", d: best.map((point, i) => `${i ? "L" : "M"}${x(point.cost)} ${y(point.metric)}`).join("") }));
    for (const point of points) {
      picture.append(svg("circle", { class: point.isChosen ? "dot chosen" : `dot ${best.includes(point) ? "c0" : "axis"}`, cx: x(point.cost), cy: y(point.metric), r: point.isChosen ? 6 : 4 },
        svg("title", {}, `${point.label}: ${text(point.cost)} ${unit}, ${metric} ${text(point.metric, 5)}`)));
      if (point.isChosen) picture.append(svg("text", { class: "label", x: x(point.cost) + (x(point.cost) > WIDTH * 0.7 ? -10 : 10), y: y(point.metric) + 16,
        "text-anchor": x(point.cost) > WIDTH * 0.7 ? "end" : "start" }, point.label));
    }
    return picture;
  }

  return { svg, text, value, thumbnail, histogram, channels, lines, front };
})();
