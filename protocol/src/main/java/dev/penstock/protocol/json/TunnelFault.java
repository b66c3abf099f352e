package dev.penstock.protocol.json;

import java.util.Locale;

/// What a peer did wrong with one stream of a [JsonSession]: that stream is reset, or not opened,
/// and nothing else happens.
public enum TunnelFault {
  /// A field is missing, of the wrong type or out of its bounds, or the data is no base64.
  UNREADABLE,
  /// A data message is missing, repeated or without its number.
  SEQUENCE,
  /// More data than was credited, or more credit than there can be.
  CREDIT,
  /// Data after the end of its direction.
  AFTER_FIN,
  /// An answer to a dial that is not waited for, or data before the answer.
  DIAL,
  /// A stream is opened with the name of one that is open.
  DUPLICATE_ID,
  /// More streams than are allowed.
  TOO_MANY_STREAMS,
  /// A stream opened by an end that has no business to open any.
  FOREIGN_STREAM;

  /// The `reason` in the message that ends the stream.
  public String reason() {
    return name().toLowerCase(Locale.ROOT);
  }
}
