namespace Myna.Machines.Tests.Support;

/// <summary>What executes the guests of tests that do not say it themselves: a set of them runs again under another engine.</summary>
internal static class GuestEngine
{
    [ThreadStatic]
    private static (Accel Accel, Irqchip Irqchip)? s_current;

    public static Accel Accel => s_current?.Accel ?? Accel.Interp;

    public static Irqchip Irqchip => s_current?.Irqchip ?? Irqchip.Auto;

    /// <summary>For the guests that this thread makes meanwhile.</summary>
    public static void With(Accel accel, Irqchip irqchip, Action test)
    {
        s_current = (accel, irqchip);
        try
        {
            test();
        }
        finally
        {
            s_current = null;
        }
    }
}
