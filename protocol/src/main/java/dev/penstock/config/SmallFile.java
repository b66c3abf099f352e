package dev.penstock.config;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/// Files that are read whole into memory: settings, secrets, certificates.
final class SmallFile {
  /// Bytes; more is not what an operator meant to name.
  static final int MAX_BYTES = 1024 * 1024;

  private SmallFile() {}

  static byte[] read(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      throw new IOException("is a directory");
    }
    try (InputStream in = Files.newInputStream(path)) {
      byte[] content = in.readNBytes(MAX_BYTES + 1);
      if (content.length > MAX_BYTES) {
        throw new IOException("has more than " + Units.show(MAX_BYTES));
      }
      return content;
    }
  }

  /// Why it could not be read, as the end of a sentence that begins with the file's name.
  static String reason(IOException e) {
    return switch (e) {
      case NoSuchFileException _ -> "which does not exist";
      case AccessDeniedException _ -> "which this user may not read";
      default -> "which cannot be read: " + e.getMessage();
    };
  }
}
