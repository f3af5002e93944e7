namespace Myna.Hardware.Power;

/// <summary>What happens to a machine whose guest is in trouble.</summary>
public enum GuestAction
{
    None,
    Reset,
    PowerOff,

    /// <summary>It stands still, for the user to look at.</summary>
    Pause,
}

/// <summary>Carries out a <see cref="GuestAction"/>.</summary>
public static class GuestActions
{
    /// <param name="status">The machine's exit status, if it ends.</param>
    public static void Do(this IPowerControl power, GuestAction action, int status)
    {
        switch (action)
        {
            case GuestAction.Reset:
                power.Reset();
                break;
            case GuestAction.PowerOff:
                power.PowerOff(status);
                break;
            case GuestAction.Pause:
                power.Pause();
                break;
        }
    }
}
