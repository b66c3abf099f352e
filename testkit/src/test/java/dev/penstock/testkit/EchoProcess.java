package dev.penstock.testkit;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.penstock.testkit.EchoService.Behaviour;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/// An [EchoService] in a process of its own, so that its sockets and those of the clients in this
/// JVM do not share one limit of open files. Ends with this JVM at the latest.
final class EchoProcess implements AutoCloseable {
  private final Process process;
  private final String address;

  private EchoProcess(Process process, String address) {
    this.process = process;
    this.address = address;
  }

  static EchoProcess start() throws IOException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process process =
        new ProcessBuilder(
                List.of(
                    java,
                    "-XX:+UseSerialGC",
                    "-Xmx1g",
                    "-cp",
                    System.getProperty("java.class.path"),
                    EchoProcess.class.getName()))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader answers = process.inputReader(US_ASCII);
    String address = answers.readLine();
    if (address == null) {
      throw new IOException("the echo process ended (expected: the address it listens at)");
    }
    return new EchoProcess(process, address);
  }

  /// Host and port.
  String address() {
    return address;
  }

  @Override
  public void close() {
    process.destroy();
  }

  /// Runs until standard input ends.
  public static void main(String[] args) throws IOException {
    try (EchoService echo = EchoService.start(Behaviour.echo())) {
      System.out.println(echo.address());
      while (System.in.read() >= 0) {
        // Nothing is said to it.
      }
    }
  }
}
