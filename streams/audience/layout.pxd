# Written by `python -m streams.audience.layout`: see there.
cdef extern from *:
    """
    typedef struct {
        PyObject_HEAD
        PyObject *at;
        PyObject *audience;
        PyObject *higher;
        PyObject *joins;
        PyObject *revision;
        PyObject *views;
    } MemoryCell;
    typedef struct {
        PyObject_HEAD
        PyObject *carry;
        PyObject *cells;
        PyObject *contribution;
        PyObject *earliest_at;
        PyObject *ended;
        PyObject *events;
        PyObject *final;
        PyObject *folded_until;
        PyObject *fresh;
        PyObject *kept;
        PyObject *last_audience;
        PyObject *last_observed;
        PyObject *late;
        PyObject *lateness;
        PyObject *newest;
        PyObject *newest_at;
        PyObject *past_end;
        PyObject *programme;
        PyObject *programme_at;
        PyObject *published_events;
        PyObject *restart_gap;
        PyObject *run;
        PyObject *run_gap;
        PyObject *sealed_until;
        PyObject *shown;
        PyObject *span;
        PyObject *start_high;
        PyObject *started;
        PyObject *started_last;
        PyObject *started_revision;
        PyObject *timestamp;
        PyObject *title;
        PyObject *title_at;
        PyObject *tolerance;
        PyObject *venue;
        PyObject *venue_at;
        PyObject *viewers_timestamp;
        PyObject *waiting_high;
        PyObject *watched_at;
    } MemoryRowFields;
    typedef struct {
        PyObject_HEAD
        PyObject *cells;
        PyObject *count;
        PyObject *earliest_at;
        PyObject *ended_at;
        PyObject *fresh;
        PyObject *is_live;
        PyObject *newest;
        PyObject *started;
    } MemoryRowSnapshot;
    typedef struct {
        PyObject_HEAD
        PyObject *carried;
        PyObject *first_audience;
        PyObject *first_audience_minute;
        PyObject *first_observed;
        PyObject *first_viewers;
        PyObject *joins;
        PyObject *last_audience;
        PyObject *last_observed;
        PyObject *observed;
        PyObject *peak;
        PyObject *peak_held;
        PyObject *peak_minute;
        PyObject *recent;
        PyObject *until;
        PyObject *viewer_minutes;
        PyObject *views;
    } MemoryTotals;
    typedef struct {
        PyObject_HEAD
        PyObject *at;
        PyObject *broadcast;
        PyObject *joins;
        PyObject *kind;
        PyObject *platform;
        PyObject *programme;
        PyObject *revision;
        PyObject *title;
        PyObject *venue;
        PyObject *viewers;
        PyObject *views;
    } MemoryViewerEvent;
    """
    ctypedef class streams.audience.minute.Cell [
        object MemoryCell, check_size error
    ]:
        cdef object at
        cdef object audience
        cdef object higher
        cdef object joins
        cdef object revision
        cdef object views
    ctypedef class streams.audience.row_fields.RowFields [
        object MemoryRowFields, check_size error
    ]:
        cdef object carry
        cdef object cells
        cdef object contribution
        cdef object earliest_at
        cdef object ended
        cdef object events
        cdef object final
        cdef object folded_until
        cdef object fresh
        cdef object kept
        cdef object last_audience
        cdef object last_observed
        cdef object late
        cdef object lateness
        cdef object newest
        cdef object newest_at
        cdef object past_end
        cdef object programme
        cdef object programme_at
        cdef object published_events
        cdef object restart_gap
        cdef object run
        cdef object run_gap
        cdef object sealed_until
        cdef object shown
        cdef object span
        cdef object start_high
        cdef object started
        cdef object started_last
        cdef object started_revision
        cdef object timestamp
        cdef object title
        cdef object title_at
        cdef object tolerance
        cdef object venue
        cdef object venue_at
        cdef object viewers_timestamp
        cdef object waiting_high
        cdef object watched_at
    ctypedef class streams.audience.snapshot.RowSnapshot [
        object MemoryRowSnapshot, check_size error
    ]:
        cdef object cells
        cdef object count
        cdef object earliest_at
        cdef object ended_at
        cdef object fresh
        cdef object is_live
        cdef object newest
        cdef object started
    ctypedef class streams.audience.totals.Totals [
        object MemoryTotals, check_size error
    ]:
        cdef object carried
        cdef object first_audience
        cdef object first_audience_minute
        cdef object first_observed
        cdef object first_viewers
        cdef object joins
        cdef object last_audience
        cdef object last_observed
        cdef object observed
        cdef object peak
        cdef object peak_held
        cdef object peak_minute
        cdef object recent
        cdef object until
        cdef object viewer_minutes
        cdef object views
    ctypedef class streams.viewer_event.ViewerEvent [
        object MemoryViewerEvent, check_size error
    ]:
        cdef object at
        cdef object broadcast
        cdef object joins
        cdef object kind
        cdef object platform
        cdef object programme
        cdef object revision
        cdef object title
        cdef object venue
        cdef object viewers
        cdef object views
