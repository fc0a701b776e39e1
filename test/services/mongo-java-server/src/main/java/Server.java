import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.net.InetSocketAddress;
import java.util.List;

/** Serves MongoDB's protocol from memory: Server PORT */
class Server {
  /** What the driver asks for at least; by itself the server claims wire version 8, with the same commands. */
  private static final MongoVersion VERSION_4_4 = new MongoVersion() {
    @Override
    public List<Integer> getVersionArray() {
      return List.of(4, 4, 0);
    }

    @Override
    public int getWireVersion() {
      return 9;
    }
  };

  public static void main(String[] arguments) {
    var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0]));
    // One thread accepts and one works: commands run one after the other, so each is atomic.
    new MongoServer(new MemoryBackend().version(VERSION_4_4)).bind(address, 1, 1);
  }
}
