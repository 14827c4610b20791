using System.Collections.Frozen;

namespace Matrix.Events;

/// <summary>The table of room versions: each one is the one before it with what its specification changes.</summary>
public static class RoomVersions
{
    /// <summary>The version of new rooms when neither client nor configuration says otherwise.</summary>
    public const string DefaultId = "12";

    public static RoomVersion V1 { get; } = new()
    {
        Id = "1", Stable = true, EventIds = EventIdFormat.ServerGiven, Resolution = StateResolution.V1, SpecialAliasesAuth = true,
        RedactionAuthRule = true,
    };

    public static RoomVersion V2 { get; } = V1 with { Id = "2", Resolution = StateResolution.V2 };
    public static RoomVersion V3 { get; } = V2 with { Id = "3", EventIds = EventIdFormat.HashStandard, RedactionAuthRule = false };
    public static RoomVersion V4 { get; } = V3 with { Id = "4", EventIds = EventIdFormat.HashUrlSafe };
    public static RoomVersion V5 { get; } = V4 with { Id = "5", EnforceKeyValidity = true };

    public static RoomVersion V6 { get; } = V5 with
    {
        Id = "6", SpecialAliasesAuth = false, StrictCanonicalJson = true, LimitNotificationsPowerLevels = true,
    };

    public static RoomVersion V7 { get; } = V6 with { Id = "7", Knocking = true };
    public static RoomVersion V8 { get; } = V7 with { Id = "8", RestrictedJoins = true };
    public static RoomVersion V9 { get; } = V8 with { Id = "9", RestrictedJoinRedactionFix = true };
    public static RoomVersion V10 { get; } = V9 with { Id = "10", KnockRestricted = true, IntegerPowerLevels = true };
    public static RoomVersion V11 { get; } = V10 with { Id = "11", RedactsInContent = true, ImplicitCreator = true, UpdatedRedaction = true };

    public static RoomVersion V12 { get; } = V11 with
    {
        Id = "12", RoomIdIsCreateHash = true, PrivilegedCreators = true, Resolution = StateResolution.V2_1,
    };

    /// <summary>All versions that can be used, oldest first.</summary>
    public static IReadOnlyList<RoomVersion> All { get; } = [V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12];

    private static readonly FrozenDictionary<string, RoomVersion> ById = All.ToFrozenDictionary(v => v.Id, StringComparer.Ordinal);

    /// <summary>Null when the version is not known.</summary>
    public static RoomVersion? Find(string id) => ById.GetValueOrDefault(id);
}
