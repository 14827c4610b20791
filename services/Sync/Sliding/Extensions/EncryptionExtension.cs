using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Sync.Answers;
using Matrix.Sync.Encryption;
using Matrix.Sync.Engine;
using Matrix.Sync.Store;

namespace Matrix.Sync.Sliding.Extensions;

/// <summary>
/// Device lists that changed since the position, of all rooms that the user is in, whatever the lists show; and what is left of the device's keys.
/// Spec: MSC3884
/// </summary>
internal sealed class EncryptionExtension(ExtensionRequest request) : SlidingExtension(request)
{
    private readonly DeviceNews devices = new();
    private DeviceKeyCounts counts = new([], []);

    public override void Plan(ExtensionContext context)
    {
        if (context.Since is not { } since) return;
        var user = context.Reader.User;
        devices.AddChanges(context.State, user, since.DeviceLists, context.Older);
        if (user.LastEvent <= since.Events) return;
        devices.AddContacts(user, since.Events);
        foreach (var room in AnswerPlanner.Turns(user.Log, since.Events, context.Older))
            if (user.Find(room.Key) is { } own) devices.AddOwn(own, room, asks: true);
    }

    public override async Task FillAsync(ExtensionContext context, ISyncStore store, CancellationToken ct)
    {
        var reader = context.Reader;
        counts = await context.Encryption.RefreshCountsAsync(reader.User, reader.Device, reader.Request.DeviceId, ct);
        await devices.FillAsync(reader, context.Plan.Now.Events, store, ct);
    }

    public override bool HasNews => devices.HasNews;
    public override bool IsWritten => true;

    public override void Write(PooledBuffer output, ExtensionContext context)
    {
        output.Raw("{\"device_one_time_keys_count\":"u8);
        KeyCounts.WriteOneTime(output, counts);
        output.Raw(",\"device_unused_fallback_key_types\":"u8);
        KeyCounts.WriteUnusedFallback(output, counts);
        if (HasNews)
        {
            output.Raw(",\"device_lists\":{\"changed\":["u8);
            WriteUsers(output, devices.Changed);
            output.Raw("],\"left\":["u8);
            WriteUsers(output, devices.Left);
            output.Raw("]}"u8);
        }
        output.Raw("}"u8);
    }

    private static void WriteUsers(PooledBuffer output, HashSet<string> users)
    {
        var first = true;
        foreach (var user in users) output.Comma(ref first).Text(user);
    }
}
