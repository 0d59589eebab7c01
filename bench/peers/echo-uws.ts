/**
 * A child of the stream bench: uWebSockets.js that sends every frame back as it came, which is the least that a WebSocket
 * server in this process can do for a frame. `/metrics` tells its processor time, as the gateway's does.
 */
import uWS from 'uWebSockets.js';

uWS
  .App()
  .get('/metrics', (res) => {
    const { user, system } = process.cpuUsage();
    res.end(`process_cpu_seconds_total ${(user + system) / 1e6}\n`);
  })
  .ws('/*', {
    maxPayloadLength: 1024 * 1024,
    maxBackpressure: 64 * 1024 * 1024,
    message: (socket, frame) => {
      socket.send(frame, true, false);
    },
  })
  .listen('127.0.0.1', 0, (listener) => {
    if (listener === false) throw new Error('the echo server could not listen');
    console.log(JSON.stringify({ port: uWS.us_socket_local_port(listener) }));
  });
