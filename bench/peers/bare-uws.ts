/**
 * A child of the suite: uWebSockets.js doing the least that a server can do. It reads a POST body to its end and
 * ignores it, and answers a fixed body; it answers every WebSocket message with a fixed message. The fixed answers
 * are the gateway's own, so that the bytes on the wire are the same. Nothing in JavaScript can be much faster.
 */
import uWS from 'uWebSockets.js';
import { textField } from '../json-field.ts';

const answers: unknown = JSON.parse(process.argv[2] ?? 'null');
const contentType = textField(answers, 'contentType');
const body = Buffer.from(textField(answers, 'body'), 'base64');
const message = Buffer.from(textField(answers, 'message'), 'base64');

uWS
  .App()
  .post('/*', (res) => {
    let gone = false;
    res.onAborted(() => {
      gone = true;
    });
    res.onData((_chunk, isLast) => {
      if (!isLast || gone) return;
      res.cork(() => {
        res.writeHeader('content-type', contentType).end(body);
      });
    });
  })
  .ws('/*', {
    message: (socket) => {
      socket.send(message, true);
    },
  })
  .listen('127.0.0.1', 0, (listener) => {
    if (listener === false) throw new Error('bare uWebSockets.js could not listen');
    console.log(JSON.stringify({ port: uWS.us_socket_local_port(listener) }));
  });
