/** What is said when a port cannot be listened on: the library that listens does not tell why. */
export function portRefusal(host: string, port: number): Error {
  return new Error(
    `Port ${port} on ${host} is taken or not allowed, or ${host} is no address of this machine. Choose others with --port and --host.`,
  );
}
