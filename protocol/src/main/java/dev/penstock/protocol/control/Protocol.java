package dev.penstock.protocol.control;

/// What a tunnel carries.
public enum Protocol {
  TCP(1, "tcp"),
  UDP(2, "udp");

  private final int wireNumber;
  private final String label;

  Protocol(int wireNumber, String label) {
    this.wireNumber = wireNumber;
    this.label = label;
  }

  /// Its number in a [StreamHeader].
  public int wireNumber() {
    return wireNumber;
  }

  /// Its name in JSON and as a value of a metric's label.
  public String label() {
    return label;
  }
}
