namespace Myna.Cli.Consoles;

/// <summary>The key that leaves the guest: Ctrl-]. It never reaches the guest.</summary>
internal static class EscapeKey
{
    public const byte Code = 0x1D;
    public const string Name = "Ctrl-]";
}
