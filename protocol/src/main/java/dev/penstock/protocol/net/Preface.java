package dev.penstock.protocol.net;

import java.util.List;

/// One end's part of the handshake before a link on a [BareConnection]: messages in, messages out;
/// no I/O, no clock. One owner thread.
///
/// On the wire each message is `u32 magic | u16 length | body`, big endian, with at most
/// [#MAX_BODY] bytes of body.
///
/// @param <R> what this end knows of the other afterwards
public interface Preface<R> {
  /// `PSR` and a version of this framing.
  int MAGIC = 0x50535201;

  /// Bytes of the largest message.
  int MAX_BODY = 1024;

  /// What this end says unasked: none for the end that listens.
  List<byte[]> begin();

  /// A message of the other end.
  Step<R> received(byte[] body);

  /// What follows from a message.
  ///
  /// @param <R> as of the preface
  sealed interface Step<R> {
    /// Say this and wait for the answer.
    @SuppressWarnings("ArrayRecordComponent") // taken apart at once
    record Say<R>(byte[] body) implements Step<R> {}

    /// It is done: say `last`, if that has any bytes, and begin.
    @SuppressWarnings("ArrayRecordComponent") // taken apart at once
    record Done<R>(byte[] last, R result) implements Step<R> {}

    /// The other end is refused: say `last`, if that has any bytes, and close.
    @SuppressWarnings("ArrayRecordComponent") // taken apart at once
    record Refuse<R>(byte[] last, String why) implements Step<R> {}
  }
}
