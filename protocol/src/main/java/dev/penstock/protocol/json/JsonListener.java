package dev.penstock.protocol.json;

import dev.penstock.protocol.control.StreamHeader;

/// What a session of JSON messages tells its owner, from inside one of its methods.
public interface JsonListener {
  /// The gateway opened a stream. The owner sets a listener with [JsonStream#listen] before it
  /// returns.
  void opened(JsonStream stream, StreamHeader header);

  /// The peer broke the rules for one stream.
  void faulty(TunnelFault fault);
}
