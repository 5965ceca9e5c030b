// A severity is a colour and a shape: diamond, triangle, square, circle. A cluster is a disc with its worst member's shape on it.

export const SEVERITIES = { 4: "critical", 3: "high", 2: "medium", 1: "low" };
const RATIO = 2;
const POINT = 26;
const CLUSTERS = { s: 34, m: 40, l: 48 };

function shape(brush, severity, x, y, r) {
  brush.beginPath();
  if (severity === 4) {
    brush.moveTo(x, y - r * 1.12);
    brush.lineTo(x + r * 1.12, y);
    brush.lineTo(x, y + r * 1.12);
    brush.lineTo(x - r * 1.12, y);
    brush.closePath();
  } else if (severity === 3) {
    brush.moveTo(x, y - r * 1.05);
    brush.lineTo(x + r * 1.08, y + r * 0.85);
    brush.lineTo(x - r * 1.08, y + r * 0.85);
    brush.closePath();
  } else if (severity === 2) {
    brush.rect(x - r * 0.87, y - r * 0.87, r * 1.74, r * 1.74);
  } else {
    brush.arc(x, y, r * 0.98, 0, Math.PI * 2);
  }
}

function drawn(size, paint) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size * RATIO;
  const brush = canvas.getContext("2d");
  brush.scale(RATIO, RATIO);
  brush.lineJoin = "round";
  paint(brush, size);
  return brush.getImageData(0, 0, size * RATIO, size * RATIO);
}

function point(severity, tokens) {
  return drawn(POINT, (brush, size) => {
    shape(brush, severity, size / 2, size / 2, 8);
    brush.lineWidth = 4;
    brush.strokeStyle = tokens.bg;
    brush.stroke();
    brush.fillStyle = tokens[SEVERITIES[severity]];
    brush.fill();
  });
}

function cluster(severity, size, tokens) {
  return drawn(size, (brush) => {
    const middle = size / 2;
    const colour = tokens[SEVERITIES[severity]];
    brush.beginPath();
    brush.arc(middle, middle, middle - 4, 0, Math.PI * 2);
    brush.fillStyle = tokens.surface;
    brush.fill();
    brush.lineWidth = 2.5;
    brush.strokeStyle = colour;
    brush.stroke();
    const badge = 5;
    const x = middle + (middle - 4) * Math.SQRT1_2;
    const y = middle - (middle - 4) * Math.SQRT1_2;
    shape(brush, severity, x, y, badge);
    brush.lineWidth = 4;
    brush.strokeStyle = tokens.surface;
    brush.stroke();
    brush.fillStyle = colour;
    brush.fill();
  });
}

/** A hot spot seen from afar, where its outline would be a speck: a disc of the ramp in a dashed ring. */
function heat(step, tokens) {
  return drawn(20, (brush, size) => {
    brush.beginPath();
    brush.arc(size / 2, size / 2, 5.5, 0, Math.PI * 2);
    brush.fillStyle = tokens[`hot-${step}`];
    brush.fill();
    brush.beginPath();
    brush.arc(size / 2, size / 2, 8, 0, Math.PI * 2);
    brush.setLineDash([3, 2.03]);
    brush.lineWidth = 1.5;
    brush.strokeStyle = tokens["hot-5"];
    brush.stroke();
  });
}

/** Put the shapes of every severity on the map, or draw them anew in the colours of `tokens`. */
export function putIcons(map, tokens) {
  const put = (name, image) => {
    if (map.hasImage(name)) map.updateImage(name, image);
    else map.addImage(name, image, { pixelRatio: RATIO });
  };
  for (const step of [1, 2, 3, 4, 5]) put(`heat-${step}`, heat(step, tokens));
  for (const severity of [1, 2, 3, 4]) {
    put(`severity-${severity}`, point(severity, tokens));
    for (const [name, size] of Object.entries(CLUSTERS)) put(`cluster-${severity}-${name}`, cluster(severity, size, tokens));
  }
}
