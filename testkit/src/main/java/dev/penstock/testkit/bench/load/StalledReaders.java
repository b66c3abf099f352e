package dev.penstock.testkit.bench.load;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// Clients that asked for an endless stream and read nothing of it. One thread at a time.
public final class StalledReaders implements AutoCloseable {
  private static final Duration SETUP = Duration.ofSeconds(20);

  private final List<SocketChannel> channels = new ArrayList<>();

  private StalledReaders() {}

  /// Opens `count` of them.
  public static StalledReaders open(int port, int count) throws IOException {
    var readers = new StalledReaders();
    try {
      for (int i = 0; i < count; i++) {
        var channel = SocketChannel.open();
        readers.channels.add(channel);
        try (var _ = Deadline.closing(channel, SETUP)) {
          Clients.connect(channel, port, Mode.SOURCE);
        }
      }
    } catch (IOException e) {
      readers.close();
      throw e;
    }
    return readers;
  }

  /// Closes them with their bytes unread.
  @Override
  public void close() {
    IdleConnections.closeAll(channels);
  }
}
