package dev.penstock.cli.operate;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The terminal as a screen that is drawn anew and keys that come one by one. What it was like is
/// brought back by [#close], also when the process is told to end.
final class Terminal implements AutoCloseable {
  private static final String ESCAPE = "\u001b[";
  private static final String OTHER_SCREEN = ESCAPE + "?1049h" + ESCAPE + "?25l";
  private static final String USUAL_SCREEN = ESCAPE + "?25h" + ESCAPE + "?1049l";
  private static final Size USUAL_SIZE = new Size(80, 24);

  private final PrintWriter out;
  private final String before;
  private final BlockingQueue<Character> keys = new ArrayBlockingQueue<>(16);
  private final Thread restore = new Thread(this::restore);

  record Size(int width, int height) {}

  private Terminal(PrintWriter out, String before) {
    this.out = out;
    this.before = before;
  }

  /// Null where there is no terminal that can be had so.
  @SuppressWarnings("SystemConsoleNull") // it is, where the platform has no line editor
  static @Nullable Terminal open(PrintWriter out) throws InterruptedException {
    var console = System.console();
    if (console == null || !console.isTerminal()) {
      return null;
    }
    String before = stty("-g");
    if (before.isEmpty()) {
      return null;
    }
    var terminal = new Terminal(out, before);
    terminal.begin();
    return terminal;
  }

  private void begin() throws InterruptedException {
    Runtime.getRuntime().addShutdownHook(restore);
    stty("-icanon", "-echo", "min", "1");
    out.print(OTHER_SCREEN);
    out.flush();
    Thread.ofPlatform().daemon().name("keys").start(() -> read(System.in));
  }

  private void read(InputStream in) {
    try {
      for (int key = in.read(); key >= 0; key = in.read()) {
        keys.offer((char) key);
      }
    } catch (IOException _) {
      // No keys any more: Ctrl-C still ends it.
    }
  }

  /// The next key, null when none comes in time.
  @Nullable Character key(long millis) throws InterruptedException {
    return keys.poll(millis, TimeUnit.MILLISECONDS);
  }

  /// As large as the window is now.
  Size size() throws InterruptedException {
    String[] words = stty("size").split(" ", 2);
    try {
      int height = Integer.parseInt(words[0]);
      int width = words.length > 1 ? Integer.parseInt(words[1]) : 0;
      return width > 0 && height > 0 ? new Size(width, height) : USUAL_SIZE;
    } catch (NumberFormatException _) {
      return USUAL_SIZE;
    }
  }

  /// Without a flicker: each line over the old one.
  void draw(List<String> lines) {
    var screen = new StringBuilder(ESCAPE).append('H');
    for (int i = 0; i < lines.size(); i++) {
      screen.append(i == 0 ? "" : "\r\n").append(lines.get(i)).append(ESCAPE).append('K');
    }
    out.print(screen.append(ESCAPE).append('J'));
    out.flush();
  }

  @Override
  public void close() {
    Runtime.getRuntime().removeShutdownHook(restore);
    restore();
  }

  private void restore() {
    out.print(USUAL_SCREEN);
    out.flush();
    try {
      stty(before);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt();
    }
  }

  /// What `stty` says, empty when it cannot be asked.
  private static String stty(String... arguments) throws InterruptedException {
    var command = new ArrayList<String>(List.of("stty"));
    command.addAll(List.of(arguments));
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectInput(ProcessBuilder.Redirect.INHERIT)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
      return process.waitFor() == 0 ? said.strip() : "";
    } catch (IOException _) {
      return "";
    }
  }
}
