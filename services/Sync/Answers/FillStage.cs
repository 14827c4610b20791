using System.Buffers;
using System.Collections.Immutable;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Rooms.Aggregations;
using Matrix.Storage.Streams;
using Matrix.Storage.Sync;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Answers;

/// <summary>
/// Gets what a plan refers to and memory does not have: member events that nobody needed yet, state across gaps, old receipts, to-device messages.
/// In the steady state there is nothing to get.
/// </summary>
internal sealed class FillStage(SyncState state, ISyncStore store)
{
    /// <summary>Spec: client-server-api/#send-to-device-messaging, 100 messages a time.</summary>
    private const int ToDeviceLimit = 100;
    private const int EventsPerQuery = 5000;
    /// <summary>Rooms whose old states are in memory at a time.</summary>
    private const int RoomsPerQuery = 50;

    public async Task RunAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        if (await store.ErasedAsync(ct) is { IsEmpty: false } erased) foreach (var part in plan.Joined.Concat(plan.LeftPlans)) Prune(part, erased);
        foreach (var parts in plan.Joined.Where(part => part.Gap is not null).Chunk(RoomsPerQuery)) await FillGapsAsync(plan, parts, reader, ct);
        foreach (var part in plan.Joined) DropKnownMembers(part, reader);
        await FillEventsAsync(plan, reader, ct);
        if (reader.Request.Filter.Room.State is { AsksForRelated: true } filter) await DropUnrelatedAsync(plan, filter, ct);
        await FillRelationsAsync(plan, reader, ct);
        await FillReceiptsAsync(plan, reader, ct);
        if (plan.PresenceInDoubt.Count > 0) await FillPresenceAsync(plan, reader, ct);
        if (plan.AskToDevice) await FillToDeviceAsync(plan, reader, ct);
        if (reader.Request.Filter.EventFormat == EventFormat.Federation) await FillPdusAsync(plan, ct);
        await plan.Devices.FillAsync(reader, plan.Now.Events, store, ct);
    }

    /// <summary>As <see cref="EventVisibility"/> does it with what comes from the database.</summary>
    private static void Prune(RoomPlan part, ImmutableHashSet<string> erased)
    {
        if (part.ReaderAt is not { } readerAt) return;
        for (var i = 0; i < part.Timeline.Count; i++)
            if (readerAt[i] != Membership.Join && part.Timeline[i] is var e && erased.Contains(e.Sender) && ErasedUsers.Takes(e.Type, e.StateKey, e.Sender))
                part.Timeline[i] = e.Pruned();
    }

    /// <summary>The differences of the states at both ends of the gaps.</summary>
    private async Task FillGapsAsync(AnswerPlan plan, RoomPlan[] parts, Reader reader, CancellationToken ct)
    {
        static (RoomPosition Before, RoomPosition After) Ends(RoomPlan part) =>
            part.Gap is var (room, since, start) ? (new(room, since), new(room, start)) : default;

        var states = await store.StatesAtAsync([.. parts.SelectMany(part => new[] { Ends(part).Before, Ends(part).After }).Distinct()], ct);
        var changes = new List<(RoomPlan Part, long KeyNid, long Was, long Nid)>();
        foreach (var part in parts)
        {
            var (before, after) = (states.GetValueOrDefault(Ends(part).Before) ?? [], states.GetValueOrDefault(Ends(part).After) ?? []);
            foreach (var (key, nid) in after) if (before.GetValueOrDefault(key) is var was && was != nid) changes.Add((part, key, was, nid));
            if (after.Count > 0) foreach (var (key, was) in before) if (!after.ContainsKey(key)) changes.Add((part, key, was, 0));
        }
        var keys = await store.StateKeysAsync([.. changes.Select(c => c.KeyNid).Distinct()], ct);
        var members = new List<(string UserId, long Before, long After)>();
        foreach (var (part, keyNid, was, nid) in changes)
        {
            if (!keys.TryGetValue(keyNid, out var key)) continue;
            if (part.Request.Tells(key) && nid != 0) part.State.Add(new StateRef(nid, null));
            else if (part.Request.Tells(key)) part.Deleted.Add(key);
            if (key.Type == EventTypes.Member && key.Key != reader.User.Id && !reader.Request.IsSliding) members.Add((key.Key, was, nid));
        }
        if (members.Count > 0) await TellDevicesAsync(plan, members, ct);
    }

    /// <summary>Who came or went during the gaps.</summary>
    private async Task TellDevicesAsync(AnswerPlan plan, List<(string UserId, long Before, long After)> members, CancellationToken ct)
    {
        var joins = await store.JoinsAsync([.. members.SelectMany(m => new[] { m.Before, m.After }).Where(nid => nid != 0).Distinct()], ct);
        foreach (var (userId, before, after) in members)
            if (joins.Contains(before) != joins.Contains(after)) (joins.Contains(after) ? plan.Devices.Changed : plan.Devices.Left).Add(userId);
    }

    /// <summary>Lazily loaded members that the device has been told already, or is told anyway.</summary>
    private static void DropKnownMembers(RoomPlan part, Reader reader)
    {
        if (part.LazyMembers.Count == 0) return;
        var told = part.State.Select(s => s.Nid).ToHashSet();
        var since = reader.Request.Since?.Events ?? 0;
        foreach (var (userId, member) in part.LazyMembers)
        {
            var isKnown = !part.IsFull && !part.Request.RedundantMembers && reader.Members.Knows(part.RoomId, userId, member.Nid, since, reader.Version);
            if (!isKnown && told.Add(member.Nid)) part.State.Add(member);
        }
    }

    private async Task FillEventsAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        var missing = new HashSet<long>();
        foreach (var part in plan.Joined)
        {
            foreach (var r in part.State) if (r.Event is null) missing.Add(r.Nid);
            foreach (var r in part.Profile?.Heroes ?? []) if (r.Event is null) missing.Add(r.Nid);
        }
        var loaded = new Dictionary<long, CachedEvent>();
        foreach (var nids in missing.Chunk(EventsPerQuery))
            foreach (var e in await store.EventsByNidsAsync(nids, ct)) loaded[e.EventNid] = CachedEvent.Of(e);
        var filter = reader.Request.Filter.Room.State;
        foreach (var part in plan.Joined)
        {
            foreach (var r in part.State)
                if ((r.Event ?? loaded.GetValueOrDefault(r.Nid)) is { } e) part.StateEvents.Add(e);
            foreach (var r in part.Profile?.Heroes ?? [])
                if ((r.Event ?? loaded.GetValueOrDefault(r.Nid)) is { } e) part.Profile!.HeroEvents.Add(e);
            if (part.Gap is not null) AfterGap(part);
            if (!filter.MatchesEverything) part.StateEvents.RemoveAll(e => !filter.Matches(e.View));
        }
        if (loaded.Count > 0) Keep(plan, loaded);
    }

    private static void AfterGap(RoomPlan part)
    {
        // The filter may have hidden a newer event at the same key: that one is told.
        var newest = part.StateEvents.GroupBy(e => e.Key).Select(g => g.MaxBy(e => e.Position)!).ToList();
        part.StateEvents.Clear();
        part.StateEvents.AddRange(newest);
    }

    private void Keep(AnswerPlan plan, Dictionary<long, CachedEvent> loaded)
    {
        using (state.Write())
            foreach (var part in plan.Joined)
                if (state.Rooms.TryGetValue(part.RoomId, out var room) && room.Cache is { } cache)
                    foreach (var r in part.State.Concat(part.Profile?.Heroes ?? []))
                        if (r.Event is null && loaded.TryGetValue(r.Nid, out var e) && e.IsMember) cache.Keep(e);
    }

    /// <summary>State that nobody relates to, where the filter asks for such.</summary>
    private async Task DropUnrelatedAsync(AnswerPlan plan, EventFilter filter, CancellationToken ct)
    {
        var parts = plan.Joined.Concat(plan.LeftPlans).ToList();
        var related = await store.RelatedAsync([.. parts.SelectMany(part => part.StateEvents.Select(e => (part.RoomNid, e.EventId)))], filter, plan.Now.Events, ct);
        foreach (var part in parts) part.StateEvents.RemoveAll(e => !related.Contains(e.EventId));
    }

    /// <summary>
    /// Aggregations of timelines that are limited: whoever has all events sees the children themselves. One query for all rooms, about events that have
    /// children. Spec: client-server-api/#aggregations-of-child-events
    /// </summary>
    private async Task FillRelationsAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        List<AggregationTarget>? targets = null;
        foreach (var part in plan.Joined.Concat(plan.LeftPlans))
            foreach (var e in part.Parents)
                if (AggregationTarget.Of(e.View, part.RoomNid, e.IsRedacted, part.UpTo ?? plan.Now.Events) is { } target) (targets ??= []).Add(target);
        if (targets is null) return;
        var aggregations = new AggregationReader(new UserId(reader.User.Id), reader.Request.DeviceId, reader.User.AccountData.Ignored, OmitRoomId: true);
        plan.Relations = await store.BundleAsync(aggregations, targets, ct);
    }

    private async Task FillReceiptsAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        await FillAsync(plan.ReceiptsSince, reader.Request.Since?.Receipts ?? 0);
        await FillAsync(plan.ReceiptsWhole, 0);

        async Task FillAsync(Dictionary<string, RoomPlan> rooms, long after)
        {
            if (rooms.Count == 0) return;
            foreach (var r in await store.ReceiptsAsync(rooms.Keys, after, plan.Now.Receipts, ct))
                if (r.Receipt.IsFor(reader.User.Id)) rooms[r.RoomId].Receipts.Add(r.Receipt);
            foreach (var part in rooms.Values) part.Receipts.Reverse();     // newest first, as from memory
        }
    }

    private async Task FillPresenceAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        var sharing = (await store.SharingAsync(reader.User.Id, [.. plan.PresenceInDoubt.Select(p => p.UserId)], ct)).ToHashSet(StringComparer.Ordinal);
        var told = plan.Presence.Select(p => p.UserId).ToHashSet(StringComparer.Ordinal);
        plan.Presence.AddRange(plan.PresenceInDoubt.Where(p => sharing.Contains(p.UserId) && told.Add(p.UserId)));
    }

    private async Task FillToDeviceAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        var since = reader.Request.Since?.ToDevice ?? 0;
        var (messages, upTo) = await ToDevicePage.ReadAsync(store, reader, since, plan.Now.ToDevice, ToDeviceLimit, ct);
        plan.Now = plan.Now with { ToDevice = upTo };
        plan.ToDevice = messages;
    }

    /// <summary>Memory holds client forms only: so few clients ask for the other one.</summary>
    private async Task FillPdusAsync(AnswerPlan plan, CancellationToken ct)
    {
        plan.Pdus = [];
        var parts = plan.Joined.Concat(plan.LeftPlans).ToList();
        var nids = parts.SelectMany(part => part.Timeline.Concat(part.StateEvents)).Select(e => e.Nid).ToHashSet();
        var pruned = parts.SelectMany(part => part.Timeline).Where(e => e.IsRedacted).Select(e => e.Nid).ToHashSet();
        foreach (var chunk in nids.Chunk(EventsPerQuery))
            foreach (var e in await store.EventsByNidsAsync(chunk, ct)) plan.Pdus[e.EventNid] = WithId(pruned.Contains(e.EventNid) ? e.Pdu.Redacted() : e.Pdu);
    }

    /// <summary>Synapse: this form, too, names the event, also where the room version leaves that to its hash.</summary>
    private static ReadOnlyMemory<byte> WithId(Pdu pdu)
    {
        if (pdu.Version.EventIds == EventIdFormat.ServerGiven) return pdu.Json;
        var output = new ArrayBufferWriter<byte>(pdu.Json.Length + 64);
        output.Write("{\"event_id\":"u8);
        CanonicalJson.WriteString(output, pdu.EventId);
        output.Write(","u8);
        output.Write(pdu.Json.Span[1..]);
        return output.WrittenMemory;
    }
}
