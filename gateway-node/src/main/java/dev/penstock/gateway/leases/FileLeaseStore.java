package dev.penstock.gateway.leases;

import dev.penstock.gateway.leases.JournalLine.Malformed;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Leases in a directory: a journal of JSON lines, `leases.jsonl`, to which every change is
/// appended and forced to the disk, and which is rewritten to what still holds when it is loaded. A
/// lock on `leases.lock` keeps other gateways out.
///
/// A process killed in the middle of an append leaves a last line without its line break: that
/// change was told to nobody, so it is dropped, with a warning. Anything else that is not a journal
/// stops the gateway; it never guesses who has a port.
public final class FileLeaseStore implements LeaseStore {
  private final Path journal;
  private final FileChannel lockFile;
  private @Nullable FileChannel channel;
  private boolean broken;

  private FileLeaseStore(Path journal, FileChannel lockFile) {
    this.journal = journal;
    this.lockFile = lockFile;
  }

  /// The directory belongs to another gateway.
  public static final class InUse extends IOException {
    InUse(Path directory) {
      super(directory + " is used by another gateway (expected: a directory of its own)");
    }
  }

  /// The journal holds what no gateway wrote.
  public static final class Corrupt extends IOException {
    Corrupt(Path journal, int line, String problem) {
      super(
          journal
              + ":"
              + line
              + ": "
              + problem
              + "; repair or remove the line, or move the file away to start without leases");
    }
  }

  /// Takes the directory, which is made when it is not there.
  ///
  /// @throws InUse when another gateway has it
  public static FileLeaseStore open(Path directory) throws IOException {
    Files.createDirectories(directory);
    FileChannel lockFile =
        FileChannel.open(
            directory.resolve("leases.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      FileLock lock = lockFile.tryLock();
      if (lock == null) {
        throw new InUse(directory);
      }
    } catch (OverlappingFileLockException _) {
      lockFile.close();
      throw new InUse(directory);
    } catch (IOException e) {
      lockFile.close();
      throw e;
    }
    return new FileLeaseStore(directory.resolve("leases.jsonl"), lockFile);
  }

  @Override
  public Stored load() throws IOException {
    if (channel != null) {
      throw new IllegalStateException("load: called twice (expected: once)");
    }
    var stored = Files.exists(journal) ? read() : new Stored(List.of(), 0, List.of());
    rewrite(stored);
    channel = FileChannel.open(journal, StandardOpenOption.WRITE, StandardOpenOption.APPEND);
    return stored;
  }

  @Override
  public void append(LeaseEvent event) throws IOException {
    FileChannel out = channel;
    if (out == null) {
      throw new IllegalStateException("append: called before load");
    }
    if (broken) {
      throw new IOException(
          journal + ": an earlier append failed half-way and could not be undone");
    }
    long before = out.size();
    try {
      writeAll(out, JournalLine.write(new JournalLine.Change(event)) + "\n");
      out.force(false);
    } catch (IOException e) {
      undo(out, before, e);
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    try (lockFile) {
      if (channel != null) {
        channel.close();
      }
    }
  }

  /// Without this the next line would be glued to a half one and both be lost.
  private void undo(FileChannel out, long size, IOException cause) {
    try {
      out.truncate(size);
      out.force(false);
    } catch (IOException e) {
      broken = true;
      cause.addSuppressed(e);
    }
  }

  private Stored read() throws IOException {
    byte[] content = Files.readAllBytes(journal);
    var leases = new LinkedHashMap<Key, Lease>();
    long highest = 0;
    int line = 0;
    int start = 0;
    for (int end = 0; end < content.length; end++) {
      if (content[end] != '\n') {
        continue;
      }
      line++;
      switch (readLine(ByteBuffer.wrap(content, start, end - start), line)) {
        case JournalLine.Header(long highestFencing) -> highest = highestFencing;
        case JournalLine.Change(LeaseEvent.Held(var lease)) -> {
          leases.put(new Key(lease.identity(), lease.transport()), lease);
          highest = Math.max(highest, lease.fencing());
        }
        case JournalLine.Change(LeaseEvent.Released(var identity, var transport)) ->
            leases.remove(new Key(identity, transport));
      }
      start = end + 1;
    }
    if (line == 0) {
      throw new Corrupt(journal, 1, "found no line (expected: \"event\":\"journal\")");
    }
    refuseSharedPorts(leases, line);
    List<String> warnings =
        start == content.length
            ? List.of()
            : List.of(journal + ":" + (line + 1) + ": dropped a change that was only half written");
    return new Stored(List.copyOf(leases.values()), highest, warnings);
  }

  private JournalLine readLine(ByteBuffer bytes, int line) throws Corrupt {
    try {
      var read = JournalLine.read(StandardCharsets.UTF_8.newDecoder().decode(bytes).toString());
      if (read instanceof JournalLine.Header != (line == 1)) {
        throw new Malformed(
            line == 1
                ? "found no journal (expected: \"event\":\"journal\")"
                : "found a second first line (expected: held or released)");
      }
      return read;
    } catch (Malformed e) {
      throw new Corrupt(journal, line, String.valueOf(e.getMessage()));
    } catch (CharacterCodingException _) {
      throw new Corrupt(journal, line, "found bytes that are not UTF-8");
    }
  }

  private record Key(TunnelIdentity identity, Transport transport) {}

  private void refuseSharedPorts(Map<Key, Lease> leases, int lastLine) throws Corrupt {
    record Port(Transport transport, int number) {}
    var ports = new HashMap<Port, Lease>();
    for (Lease lease : leases.values()) {
      if (ports.put(new Port(lease.transport(), lease.port()), lease) != null) {
        throw new Corrupt(
            journal, lastLine, "at the end, port " + lease.port() + " is held by two tunnels");
      }
    }
  }

  /// The old journal stays whole until the new one is.
  private void rewrite(Stored stored) throws IOException {
    Path fresh = journal.resolveSibling("leases.jsonl.new");
    var text = new StringBuilder();
    text.append(JournalLine.write(new JournalLine.Header(stored.highestFencing()))).append('\n');
    for (Lease lease : stored.leases()) {
      text.append(JournalLine.write(new JournalLine.Change(new LeaseEvent.Held(lease))))
          .append('\n');
    }
    try (var out =
        FileChannel.open(
            fresh,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      writeAll(out, text.toString());
      out.force(true);
    }
    Files.move(fresh, journal, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    Path directory = journal.toAbsolutePath().getParent();
    if (directory != null) {
      try (var entries = FileChannel.open(directory, StandardOpenOption.READ)) {
        entries.force(true);
      }
    }
  }

  private static void writeAll(FileChannel out, String text) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
    while (bytes.hasRemaining()) {
      out.write(bytes);
    }
  }
}
