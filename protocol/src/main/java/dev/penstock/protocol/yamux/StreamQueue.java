package dev.penstock.protocol.yamux;

import org.jspecify.annotations.Nullable;

/// Streams in turn, linked through the streams themselves: no allocation, and removal from the
/// middle costs nothing. A stream is in at most one queue at a time.
final class StreamQueue {
  private @Nullable YamuxStream first;
  private @Nullable YamuxStream last;
  private int size;

  int size() {
    return size;
  }

  boolean isEmpty() {
    return first == null;
  }

  /// Adds at the end; nothing when the stream is in the queue already.
  void add(YamuxStream stream) {
    if (stream.queue == this) {
      return;
    }
    stream.queue = this;
    stream.previous = last;
    if (last == null) {
      first = stream;
    } else {
      last.next = stream;
    }
    last = stream;
    size++;
  }

  @Nullable YamuxStream poll() {
    YamuxStream stream = first;
    if (stream != null) {
      remove(stream);
    }
    return stream;
  }

  /// Does nothing when the stream is not in this queue.
  void remove(YamuxStream stream) {
    if (stream.queue != this) {
      return;
    }
    YamuxStream before = stream.previous;
    YamuxStream after = stream.next;
    if (before == null) {
      first = after;
    } else {
      before.next = after;
    }
    if (after == null) {
      last = before;
    } else {
      after.previous = before;
    }
    stream.previous = null;
    stream.next = null;
    stream.queue = null;
    size--;
  }
}
