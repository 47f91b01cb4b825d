package peers;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/**
 * What is kept of one broadcast: the job of ../../figures.py, and nothing else.
 *
 * <p>At rest, big-endian: five longs (events, late, viewers, when these were observed, peak), the
 * number of open minutes as one byte, then of each, oldest first, its number (int) and its greatest
 * viewers (long).
 */
public final class Figures {
    private static final int OPEN = 15;
    private static final long MINUTE = 60_000;

    private long events;
    private long late;
    private long viewers = -1;
    private long viewersAt = -1;
    private long peak = -1;
    private int count;
    private final int[] minutes = new int[OPEN];
    private final long[] highs = new long[OPEN];

    /** Adds an event and gives the figures with it. */
    public Figures add(Event event) {
        long at = event.millis();
        int minute = (int) Math.floorDiv(at, MINUTE);
        if (count > 0 && minute <= minutes[count - 1] - OPEN) {
            late++;
            return this;
        }
        events++;
        long told = event.viewers();
        if (at > viewersAt || (at == viewersAt && told > viewers)) {
            viewers = told;
            viewersAt = at;
        }
        peak = Math.max(peak, told);
        put(minute, told);
        return this;
    }

    private void put(int minute, long told) {
        int place = count;
        while (place > 0 && minutes[place - 1] > minute) {
            place--;
        }
        if (place > 0 && minutes[place - 1] == minute) {
            highs[place - 1] = Math.max(highs[place - 1], told);
            return;
        }
        int newest = place == count ? minute : minutes[count - 1];
        int sealed = 0;
        while (sealed < count && minutes[sealed] <= newest - OPEN) {
            sealed++;
        }
        if (sealed > 0) {
            System.arraycopy(minutes, sealed, minutes, 0, count - sealed);
            System.arraycopy(highs, sealed, highs, 0, count - sealed);
            count -= sealed;
            place -= sealed;
        }
        System.arraycopy(minutes, place, minutes, place + 1, count - place);
        System.arraycopy(highs, place, highs, place + 1, count - place);
        minutes[place] = minute;
        highs[place] = told;
        count++;
    }

    /** How the store and its changelog keep them. */
    public static Serde<Figures> serde() {
        return Serdes.serdeFrom((topic, figures) -> figures == null ? null : figures.bytes(),
            (topic, bytes) -> bytes == null ? null : read(bytes));
    }

    private byte[] bytes() {
        ByteBuffer out = ByteBuffer.allocate(5 * Long.BYTES + 1 + count * (Integer.BYTES + Long.BYTES));
        out.putLong(events).putLong(late).putLong(viewers).putLong(viewersAt).putLong(peak);
        out.put((byte) count);
        for (int place = 0; place < count; place++) {
            out.putInt(minutes[place]).putLong(highs[place]);
        }
        return out.array();
    }

    private static Figures read(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        Figures figures = new Figures();
        figures.events = in.getLong();
        figures.late = in.getLong();
        figures.viewers = in.getLong();
        figures.viewersAt = in.getLong();
        figures.peak = in.getLong();
        figures.count = in.get();
        for (int place = 0; place < figures.count; place++) {
            figures.minutes[place] = in.getInt();
            figures.highs[place] = in.getLong();
        }
        return figures;
    }
}
