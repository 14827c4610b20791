namespace Matrix.Events;

// The other half of this record, the table of versions, stands in RoomVersions.cs.

public enum EventIdFormat { ServerGiven, HashStandard, HashUrlSafe }
public enum StateResolution { V1, V2, V2_1 }

/// <summary>
/// The rules of a room version as data; each version is written as the one before it <c>with</c> its differences. Spec: rooms/v1 .. v12
/// </summary>
public sealed record RoomVersion
{
    public required string Id { get; init; }
    public required bool Stable { get; init; }
    public required EventIdFormat EventIds { get; init; }
    public required StateResolution Resolution { get; init; }
    /// <summary>Versions 1 and 2: the auth rules decide whether a redaction is allowed; later it is decided when it is applied.</summary>
    public bool RedactionAuthRule { get; init; }
    /// <summary>Version 6: integers only, in range.</summary>
    public bool StrictCanonicalJson { get; init; }
    /// <summary>Up to version 5 m.room.aliases is authorised specially and its content survives redaction.</summary>
    public bool SpecialAliasesAuth { get; init; }
    /// <summary>Version 5: signatures count only while their key is valid.</summary>
    public bool EnforceKeyValidity { get; init; }
    /// <summary>Version 6: the notifications member of power levels is checked.</summary>
    public bool LimitNotificationsPowerLevels { get; init; }
    /// <summary>Version 7.</summary>
    public bool Knocking { get; init; }
    /// <summary>Version 8.</summary>
    public bool RestrictedJoins { get; init; }
    /// <summary>Version 9: join_authorised_via_users_server survives redaction.</summary>
    public bool RestrictedJoinRedactionFix { get; init; }
    /// <summary>Version 10.</summary>
    public bool KnockRestricted { get; init; }
    /// <summary>Version 10: power levels are integers, not strings.</summary>
    public bool IntegerPowerLevels { get; init; }
    /// <summary>Version 11: redacts stands in content, creator is implied by sender, newer redaction algorithm.</summary>
    public bool RedactsInContent { get; init; }
    /// <summary>Version 11: m.room.create needs no creator.</summary>
    public bool ImplicitCreator { get; init; }
    /// <summary>Version 11: MSC2174, MSC2175, MSC3820, MSC3989, MSC3821 redaction rules.</summary>
    public bool UpdatedRedaction { get; init; }
    /// <summary>Version 12: the room id is the hash of the create event (MSC4291).</summary>
    public bool RoomIdIsCreateHash { get; init; }
    /// <summary>Version 12: creators stand above all power levels (MSC4289), additional_creators.</summary>
    public bool PrivilegedCreators { get; init; }

    /// <summary>Versions 1 and 2: references to events are pairs of id and hashes, and an event carries its own id.</summary>
    public bool ReferencesHaveHashes => EventIds == EventIdFormat.ServerGiven;

    // Compared by identity of the table row: generated equality would compare every flag on hot paths.
    public bool Equals(RoomVersion? other) => other is not null && (ReferenceEquals(this, other) || Id == other.Id);
    public override int GetHashCode() => Id.GetHashCode(StringComparison.Ordinal);
    public override string ToString() => Id;
}
