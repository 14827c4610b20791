namespace Matrix.Sync.Rooms;

internal enum Membership : byte { None, Leave, Ban, Knock, Invite, Join }

internal static class MembershipNames
{
    public static Membership Parse(string? text) => text switch
    {
        "join" => Membership.Join,
        "invite" => Membership.Invite,
        "knock" => Membership.Knock,
        "ban" => Membership.Ban,
        "leave" => Membership.Leave,
        _ => Membership.None,
    };

    /// <summary>The name; of none: leave, which is what who never was a member has.</summary>
    public static ReadOnlySpan<byte> Name(this Membership membership) => membership switch
    {
        Membership.Join => "join"u8,
        Membership.Invite => "invite"u8,
        Membership.Knock => "knock"u8,
        Membership.Ban => "ban"u8,
        _ => "leave"u8,
    };
}
