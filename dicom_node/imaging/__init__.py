"""From pixel data to a frame, and from a frame to a picture. A public door, beside the archive.

Two ways in:

- `imaging.Imaging(confinement)` is what a server holds: it reads native frames by their offset, decodes compressed ones
  in killable workers, keeps what was asked for lately, and never loads a whole object. Its `frame`, `stored_frame` and
  `rendered` are what the web and the report's key images call.
- `frames.frame(path, number)` and `rendering.render(path, number, window=, size=, media=)` do the same work where they
  are called; they are module-level so that `Confinement.run` can carry them into a worker. Frames count from 1.

It draws no waveforms (`ecg.rendering` does), knows no patient, and never writes pixels back.
"""
