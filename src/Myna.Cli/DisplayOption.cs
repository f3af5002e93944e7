using Myna.Control.Rfb;

namespace Myna.Cli;

/// <summary>The value of <c>--display</c>.</summary>
/// <param name="Address">Where VNC clients connect; null when nobody does.</param>
/// <param name="PasswordFile">A file whose first line is the password.</param>
/// <param name="Layout">The keyboard layout of the guest.</param>
internal sealed record DisplayOption(string? Address, string? PasswordFile = null, string Layout = "us")
{
    private const string DefaultAddress = "127.0.0.1:5900";

    /// <exception cref="FormatException">Says what would be right.</exception>
    public static DisplayOption Parse(string text)
    {
        if (text == "none")
            return new DisplayOption(Address: null);
        string[] parts = text.Split(',');
        string address = parts[0] == "vnc" ? DefaultAddress
            : parts[0].StartsWith("vnc=", StringComparison.Ordinal) ? parts[0][4..]
            : throw new FormatException($"'{parts[0]}' is unknown; use vnc, vnc=ADDRESS or none");
        _ = Control.ListenAddress.Parse(address);
        var option = new DisplayOption(address);
        foreach (string part in parts.AsSpan(1))
        {
            string[] pair = part.Split('=', 2);
            option = pair switch
            {
                ["password-file", { Length: > 0 } file] => option with { PasswordFile = file },
                ["layout", { Length: > 0 } layout] => option with { Layout = layout },
                _ => throw new FormatException($"'{part}' is unknown; use password-file=FILE or layout=NAME"),
            };
        }
        return option;
    }

    /// <summary>The VNC server's options; null for none.</summary>
    /// <exception cref="UserException">The password cannot be read.</exception>
    public RfbOptions? Rfb()
    {
        if (Address is null)
            return null;
        try
        {
            return new RfbOptions(Address, PasswordFile is null ? null : File.ReadLines(PasswordFile).FirstOrDefault() ?? "", Layout);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"cannot read the password file {PasswordFile}: {e.Message}");
        }
    }
}
