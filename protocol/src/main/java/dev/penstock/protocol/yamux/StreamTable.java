package dev.penstock.protocol.yamux;

import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// The streams of a session by id: open addressing with linear probing, ids beside the streams so
/// that a probe touches one array. The hash is salted, because the peer chooses half of the ids.
final class StreamTable {
  private static final int SMALLEST = 16;

  private final int salt = new SplittableRandom().nextInt();

  /// 0 marks a free slot; no stream has that id.
  private int[] ids = new int[SMALLEST];

  private @Nullable YamuxStream[] streams = new YamuxStream[SMALLEST];
  private int size;

  int size() {
    return size;
  }

  @Nullable YamuxStream get(int id) {
    int mask = ids.length - 1;
    for (int i = hash(id) & mask; ids[i] != 0; i = i + 1 & mask) {
      if (ids[i] == id) {
        return streams[i];
      }
    }
    return null;
  }

  /// The id must not be in the table.
  void add(YamuxStream stream) {
    if ((size + 1) * 2 > ids.length) {
      rehash(ids.length * 2);
    }
    insert(stream.id(), stream);
    size++;
  }

  void remove(int id) {
    int mask = ids.length - 1;
    int hole = hash(id) & mask;
    while (ids[hole] != id) {
      if (ids[hole] == 0) {
        return;
      }
      hole = hole + 1 & mask;
    }
    // Moves later entries of the run back, so that no probe meets a gap before its entry.
    for (int i = hole + 1 & mask; ids[i] != 0; i = i + 1 & mask) {
      int home = hash(ids[i]) & mask;
      if ((i - home & mask) >= (i - hole & mask)) {
        ids[hole] = ids[i];
        streams[hole] = streams[i];
        hole = i;
      }
    }
    ids[hole] = 0;
    streams[hole] = null;
    size--;
    if (ids.length > SMALLEST && size * 16 < ids.length) {
      rehash(ids.length / 4);
    }
  }

  /// A snapshot in no particular order.
  YamuxStream[] all() {
    YamuxStream[] all = new YamuxStream[size];
    int count = 0;
    for (YamuxStream stream : streams) {
      if (stream != null) {
        all[count++] = stream;
      }
    }
    return all;
  }

  private void insert(int id, YamuxStream stream) {
    int mask = ids.length - 1;
    int i = hash(id) & mask;
    while (ids[i] != 0) {
      i = i + 1 & mask;
    }
    ids[i] = id;
    streams[i] = stream;
  }

  private void rehash(int capacity) {
    YamuxStream[] all = all();
    ids = new int[Math.max(SMALLEST, capacity)];
    streams = new YamuxStream[ids.length];
    for (YamuxStream stream : all) {
      insert(stream.id(), stream);
    }
  }

  private int hash(int id) {
    int h = id ^ salt;
    h = (h ^ h >>> 16) * 0x85ebca6b;
    h = (h ^ h >>> 13) * 0xc2b2ae35;
    return h ^ h >>> 16;
  }
}
