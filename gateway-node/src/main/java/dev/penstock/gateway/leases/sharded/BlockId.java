package dev.penstock.gateway.leases.sharded;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.penstock.config.PortRange;
import dev.penstock.gateway.leases.Transport;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// 256 ports of one transport, counted from port 0 whatever the range is, so that a changed range
/// moves no port to another block.
record BlockId(Transport transport, int index) {
  static final int SIZE = 256;
  private static final int COUNT = 65_536 / SIZE;

  BlockId {
    if (index < 0 || index >= COUNT) {
      throw new IllegalArgumentException("index: " + index + " (expected: 0 to 255)");
    }
  }

  static BlockId of(Transport transport, int port) {
    return new BlockId(transport, port / SIZE);
  }

  /// Such as `tcp-60`.
  @JsonCreator
  static BlockId parse(String text) {
    int dash = text.indexOf('-');
    if (dash < 0) {
      throw new IllegalArgumentException("block: " + text + " (expected: such as tcp-60)");
    }
    return new BlockId(
        Transport.valueOf(text.substring(0, dash).toUpperCase(Locale.ROOT)),
        Integer.parseInt(text.substring(dash + 1)));
  }

  /// The blocks of all transports that have a port of the range.
  static List<BlockId> all(PortRange range) {
    var blocks = new ArrayList<BlockId>();
    for (Transport transport : Transport.values()) {
      for (int index = range.first() / SIZE; index <= range.last() / SIZE; index++) {
        blocks.add(new BlockId(transport, index));
      }
    }
    return blocks;
  }

  boolean contains(int port) {
    return port / SIZE == index;
  }

  int first() {
    return Math.max(1, index * SIZE);
  }

  int last() {
    return index * SIZE + SIZE - 1;
  }

  @JsonValue
  @Override
  public String toString() {
    return transport.name().toLowerCase(Locale.ROOT) + "-" + index;
  }
}
