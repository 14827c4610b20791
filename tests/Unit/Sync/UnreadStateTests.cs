using Matrix.Events;
using Matrix.Storage.Events;
using Matrix.Storage.Streams;
using Matrix.Sync.Rooms;
using Matrix.Sync.Unread;
using Matrix.Sync.Users;
using Matrix.Testing;
using Room = Matrix.Testing.Room;

namespace Matrix.Unit.Sync;

public class UnreadStateTests
{
    private static readonly TestUser Alice = TestServer.Named("one.example").User("alice");
    private static readonly TestUser Bob = TestServer.Named("one.example").User("bob");

    private static CachedEvent Cached(Pdu pdu, long position) => CachedEvent.Of(new StoredEvent
    {
        EventNid = position, RoomNid = 1, Position = position, Flags = EventFlags.None, SnapshotNid = null, ReceivedTsMs = 0, Pdu = pdu,
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Who_reads_the_main_timeline_alone_is_told_of_the_next_message_after_very_many(bool bySending)
    {
        var said = Room.Version("11").With(Alice, Bob).Say(Alice, "hello").Last;
        var state = Room.Version("11").With(Alice, Bob).Events.Where(e => e.IsState).Select(e => Cached(e, 1));
        var cache = new RoomCache(RoomVersions.Find("11")!, long.MinValue, [], state, [], []);
        var room = new Matrix.Sync.Rooms.Room(said.RoomId, 1, 0, new TypingUsers());
        var (user, own) = (new Matrix.Sync.Users.User(Bob.Id), new UserRoom(Bob.Id, said.RoomId, 1) { Position = 1 });
        var basis = UnreadBasis.Of(user, cache);
        long position = 1;
        void Say(int count)
        {
            own.Unread.Start(own, basis);
            var events = Enumerable.Range(0, count).Select(_ => Cached(said, ++position)).ToList();
            Assert.True(own.Unread.TryEvaluate(events, room, cache, user, null, basis, position, new ThreadFinder(), mayAsk: false));
        }
        int Count() => own.Unread.Count(own, byThread: false, long.MinValue).Main.Notifications;

        for (var i = 0; i < 11; i++)
        {
            Say(UnreadState.MaxNotices / 10);
            Assert.Equal(UnreadState.MaxNotices / 10, Count());
            if (bySending) own.Sent.Add(ThreadWalk.Main, position);
            else own.Read(i, new ReceiptRow(Bob.Id, "m.read", ThreadWalk.Main, said.EventId, position, 0));
            Assert.Equal(0, Count());
        }
        Say(1);
        Assert.Equal(1, Count());
    }
}
