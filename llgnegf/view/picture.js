// Draws frame `slider.value` of a vector field (llgnegf/view/picture.py says what the arguments are). Data are changed in
// place: so they stay on the page, and a server hears nothing of them.
const NARROWEST = 15 // pixels between arrows along a wire; more sites than have room go without
const k = Math.min(slider.value, frames.data.time.length - 1)
if (k < 0) return
const unit = frames.data[name][k] / 32767
const start = k * block
const value = (i) => flat.data.value[start + i] == -32768 ? NaN : flat.data.value[start + i] * unit

function drawCells() {
  const n = points.data.x.length
  if (cells.data.value.length != n) { // the first time: each site has one of a few shapes
    const corners = (axis, a) => Array.from(points.data[axis], (p, i) => shapes[points.data.shape[i]][a].map((c) => c + p))
    cells.data.xs = corners("x", 0)
    cells.data.ys = corners("y", 1)
    cells.data.value = new Float64Array(n)
  }
  for (let i = 0; i < n; i++) cells.data.value[i] = value(i)
  cells.change.emit()
}

function fitPlane() { // to scale: as high as the width asks for, and where that is too high with room at the sides
  const [width, height] = [plane.x[1] - plane.x[0], plane.y[1] - plane.y[0]]
  if (!(plot.inner_width > 0 && plot.inner_height > 0)) return
  const wanted = Math.min(plane.highest, plot.inner_width * height / width)
  if (Math.abs(wanted - plot.inner_height) > 1) plot.height = Math.round(wanted + plot.outer_height - plot.inner_height)
  const scale = Math.max(width / plot.inner_width, height / plot.inner_height) / 2
  const show = (range, [low, high], pixels) =>
    range.setv({start: (low + high) / 2 - scale * pixels, end: (low + high) / 2 + scale * pixels})
  show(plot.x_range, plane.x, plot.inner_width)
  show(plot.y_range, plane.y, plot.inner_height)
}

function drawArrows() {
  const kx = plot.inner_width / (plot.x_range.end - plot.x_range.start)
  const ky = plot.inner_height / (plot.y_range.end - plot.y_range.start)
  if (!(kx > 0 && ky > 0)) return
  const xs = [], ys = [], x = [], y = [], colours = []
  const step = arrow.wire ? Math.ceil(NARROWEST / (arrow.room * kx)) : 1
  const full = Math.min(arrow.room * step * kx, 0.9 * plot.inner_height) // pixels of the longest
  for (let i = 0; i < arrow.x.length; i += step) {
    const u = value(arrow.first + i) / mapper.high
    const v = value(arrow.second + i) / mapper.high
    const size = Math.hypot(u, v), long = size * full
    x.push(size < 0.35 ? arrow.x[i] : NaN) // a dot where the arrow is short
    y.push(arrow.y[i])
    colours.push(value(arrow.colour + i))
    if (!(long > 0.8)) { // nothing that could be seen
      xs.push([arrow.x[i]]); ys.push([arrow.y[i]])
      continue
    }
    const head = Math.min(0.38 * full, 0.6 * long), half = 0.42 * head, shaft = Math.min(0.05 * full, 0.4 * half)
    const along = [-long / 2, long / 2 - head, long / 2 - head, long / 2, long / 2 - head, long / 2 - head, -long / 2]
    const across = [shaft, shaft, half, 0, -half, -shaft, -shaft]
    xs.push(along.map((a, j) => arrow.x[i] + (a * u - across[j] * v) / size / kx))
    ys.push(along.map((a, j) => arrow.y[i] + (a * v + across[j] * u) / size / ky))
  }
  Object.assign(arrows.data, {xs, ys, x, y, value: colours})
  arrows.change.emit()
}

function drawProfile() {
  const n = profile.data.site.length
  for (const [a, axis] of ["x", "y", "z"].entries())
    profile.data[axis] = Float64Array.from({length: n}, (_, i) => value(a * n + i))
  profile.change.emit()
}

if (plane) fitPlane()
if (cells) drawCells()
if (arrows) drawArrows()
if (profile) drawProfile()
