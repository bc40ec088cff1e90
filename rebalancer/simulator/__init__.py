"""An exchange that speaks HTX's protocol: a pure `handle(request, now)` with doors in process and on loopback."""
