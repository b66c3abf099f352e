package dev.penstock.agent.settings;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.regex.Pattern;

/// What an agent calls itself when nobody told it: the same after every restart on one machine,
/// another on another. Nothing of the machine can be read from it.
final class AgentId {
  static final Pattern PATTERN = Pattern.compile("[A-Za-z0-9._-]{1,128}");

  private static final Path MACHINE_ID = Path.of("/etc/machine-id");

  private AgentId() {}

  static String ofThisMachine() {
    return of(hostName(), machineId());
  }

  /// `agent-` and the first 16 hexadecimal digits of the SHA-256 over both, with a NUL between.
  static String of(String hostName, String machineId) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest((hostName + "\0" + machineId).getBytes(StandardCharsets.UTF_8));
      return "agent-" + HexFormat.of().formatHex(digest, 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /// Empty where the system has no such name; the machine id then stands alone.
  private static String hostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (IOException _) {
      return "";
    }
  }

  /// Empty in most containers and outside of Linux; the host name then stands alone.
  private static String machineId() {
    try {
      return Files.readString(MACHINE_ID).strip();
    } catch (IOException _) {
      return "";
    }
  }
}
