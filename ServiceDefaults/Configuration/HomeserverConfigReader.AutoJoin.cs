using System.Text.RegularExpressions;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary><c>auto_join_rooms</c> and what belongs to it.</summary>
internal sealed partial class HomeserverConfigReader
{
    private static readonly string[] RoomPresets = ["public_chat", "private_chat", "trusted_private_chat"];

    private AutoJoinConfig ReadAutoJoin()
    {
        var defaults = new AutoJoinConfig();
        var config = new AutoJoinConfig
        {
            Rooms = root.Texts("auto_join_rooms") ?? [],
            Create = root.Boolean("autocreate_auto_join_rooms", defaults.Create),
            Federated = root.Boolean("autocreate_auto_join_rooms_federated", defaults.Federated),
            Preset = NonEmpty(root.Text("autocreate_auto_join_room_preset")) ?? defaults.Preset,
            Localpart = NonEmpty(root.Text("auto_join_mxid_localpart")),
            ForGuests = root.Boolean("auto_join_rooms_for_guests", defaults.ForGuests),
        };
        if (!config.Rooms.All(r => Alias().IsMatch(r)))
            root.Fault("auto_join_rooms", "names something that is no alias of a room", "auto_join_rooms: ['#welcome:example.org']");
        if (config.Localpart is { } localpart && !IsLocalpart(localpart))
            root.Fault("auto_join_mxid_localpart", "is no name of a user", "auto_join_mxid_localpart: system");
        if (!RoomPresets.Contains(config.Preset))
            root.Fault("autocreate_auto_join_room_preset", "is none of " + string.Join(", ", RoomPresets), "autocreate_auto_join_room_preset: public_chat");
        else if (config.Create && config.Preset != "public_chat" && config.Localpart is null)
            root.Fault("auto_join_mxid_localpart", "is missing, and nobody else could invite to rooms that autocreate_auto_join_room_preset makes private", "auto_join_mxid_localpart: system");
        return config;
    }

    private static bool IsLocalpart(string text) =>
        text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '_' or '=' or '-' or '/' or '+');

    [GeneratedRegex("^#[^:]+:.+$")]
    private static partial Regex Alias();
}
