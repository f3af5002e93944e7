using System.Globalization;
using Myna.Host;

namespace Myna.Cli;

/// <summary>--sandbox on|off[,user=NAME|UID[:GID]][,chroot=DIR][,cgroup=DIR].</summary>
/// <param name="Filter">System calls that the process does not need are refused from then on.</param>
public sealed record SandboxOption(bool Filter, Confinement Confinement)
{
    /// <exception cref="FormatException">The message is for the user.</exception>
    public static SandboxOption Parse(string text)
    {
        bool filter = true;
        var where = new Confinement();
        foreach (string part in text.Split(','))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string value = part[(equals + 1)..];
            if (equals >= 0 && value.Length == 0)
                throw new FormatException($"'{part}' lacks its value");
            switch (equals < 0 ? part : part[..equals])
            {
                case "on" when equals < 0: filter = true; break;
                case "off" when equals < 0: filter = false; break;
                case "user": where = where with { User = UserOf(value) }; break;
                case "chroot" when Directory.Exists(value): where = where with { Root = Path.GetFullPath(value) }; break;
                case "chroot": throw new FormatException($"there is no folder {value}");
                case "cgroup": where = where with { Cgroup = Path.GetFullPath(value, "/sys/fs/cgroup") }; break;
                default: throw new FormatException($"'{part}' is unknown; use on, off, user=NAME, chroot=DIR and cgroup=DIR");
            }
        }
        return new SandboxOption(filter, where);
    }

    private static (uint, uint) UserOf(string text)
    {
        string[] parts = text.Split(':');
        if (parts.Length <= 2 && uint.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out uint user))
        {
            if (parts.Length == 1)
                return (user, user);
            if (uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint group))
                return (user, group);
        }
        // passwd(5): name, password, user ID, group ID.
        foreach (string[] fields in File.ReadLines("/etc/passwd").Select(l => l.Split(':')))
        {
            if (fields.Length > 3 && fields[0] == text && uint.TryParse(fields[2], out uint id) && uint.TryParse(fields[3], out uint primary))
                return (id, primary);
        }
        throw new FormatException($"there is no user {text}");
    }
}
