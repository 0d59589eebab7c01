/**
 * What is said on one WebSocket, kept in the order it came: binary frames read by msgpackr, text frames by JSON.parse.
 * Tests ask for what they wait for and look at everything afterwards.
 */
import { eventually } from './deadline.ts';
import { opcode, StreamClient, type StreamMessage } from './stream-client.ts';
import { packed, unpacked } from './wire-forms.ts';

export type Said = Readonly<Record<string, unknown>>;

export interface Heard {
  readonly fields: Said;
  readonly isText: boolean;
  /** Of the payload. */
  readonly bytes: number;
}

export class StreamTalk {
  readonly client: StreamClient;
  readonly heard: Heard[] = [];

  constructor(client: StreamClient) {
    this.client = client;
    client.onMessage((message) => {
      const read = readMessage(message);
      if (read !== undefined) this.heard.push(read);
    });
  }

  static async open(port: number, headers: Readonly<Record<string, string>> = {}): Promise<StreamTalk> {
    return new StreamTalk(await StreamClient.open(port, headers));
  }

  say(fields: Said): void {
    this.client.send(packed(fields));
  }

  sayText(fields: Said): void {
    this.client.sendText(JSON.stringify(fields));
  }

  /** Everything that came with an id, or with nil for one: answers and errors. */
  get answers(): readonly Said[] {
    return this.heard.map(({ fields }) => fields).filter((fields) => fields['op'] === undefined);
  }

  operations(op: string): readonly Said[] {
    return this.heard.map(({ fields }) => fields).filter((fields) => fields['op'] === op);
  }

  answersTo(id: unknown): readonly Said[] {
    return this.answers.filter((fields) => fields['id'] === id);
  }

  answer(id: unknown, deadlineMs?: number): Promise<Said> {
    return eventually(() => this.answersTo(id)[0], `an answer to ${String(id)}`, deadlineMs);
  }

  operation(op: string, count = 1): Promise<Said> {
    return eventually(() => this.operations(op)[count - 1], `${count} times ${op}`);
  }

  async answered(count: number, deadlineMs?: number): Promise<void> {
    await eventually(() => this.answers.length >= count, `${count} answers`, deadlineMs);
  }
}

function readMessage({ opcode: kind, payload }: StreamMessage): Heard | undefined {
  if (kind === opcode.text) {
    return { fields: JSON.parse(payload.toString()) as Said, isText: true, bytes: payload.length };
  }
  if (kind !== opcode.binary) return undefined;
  return { fields: unpacked(payload), isText: false, bytes: payload.length };
}
