package dev.penstock.protocol.yamux;

/// What a session tells its owner. Same thread rule as [StreamListener].
public interface SessionListener {
  /// The peer opened a stream. The owner sets a listener with [YamuxStream#listen] before it
  /// returns and answers with [YamuxStream#accept] or [YamuxStream#reset], now or later; until then
  /// the stream counts against the accept backlog.
  void opened(YamuxStream stream);

  /// The peer will open no more streams and expects us to open none (GoAway).
  void goAway(GoAwayCode code);
}
