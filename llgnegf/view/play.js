// Moves the slider by itself, from the beginning again when it stands at the end; the second click stops it.
const stop = () => {
  clearInterval(button.timer)
  button.timer = null
  button.label = "Play"
}
if (button.timer) stop()
else {
  button.label = "Pause"
  if (slider.value >= frames.data.time.length - 1) slider.value = 0
  button.timer = setInterval(() => {
    if (slider.value >= frames.data.time.length - 1) stop()
    else slider.value = slider.value + 1
  }, 80)
}
