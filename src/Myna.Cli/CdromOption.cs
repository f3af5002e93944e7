using Myna.Machines;

namespace Myna.Cli;

/// <summary>A CD drive of the guest.</summary>
/// <param name="Path">The disc, or null for none.</param>
/// <param name="Interface">The controller.</param>
/// <param name="BootIndex">Its place in the boot order.</param>
public sealed record CdromOption(string? Path, DiskInterface Interface = DiskInterface.Auto, int? BootIndex = null)
{
    /// <summary>Reads <c>none|FILE[,if=ahci|ide|scsi|usb][,bootindex=N]</c>; two commas in FILE stand for one.</summary>
    /// <exception cref="FormatException">Names the part that is wrong.</exception>
    public static CdromOption Parse(string text)
    {
        const string Comma = "\0";
        string[] parts = text.Replace(",,", Comma, StringComparison.Ordinal).Split(',');
        string path = parts[0].Replace(Comma, ",", StringComparison.Ordinal);
        if (path.Length == 0)
            throw new FormatException("the file's name is missing; write --cdrom FILE, or --cdrom none for an empty drive");
        var drive = new CdromOption(path == "none" ? null : path);
        foreach (string part in parts[1..])
        {
            string[] pair = part.Split('=', 2);
            drive = (pair[0], pair.Length > 1 ? pair[1] : null) switch
            {
                ("if", "ahci" or "sata") => drive with { Interface = DiskInterface.Ahci },
                ("if", "scsi" or "virtio-scsi") => drive with { Interface = DiskInterface.Scsi },
                ("if", "usb") => drive with { Interface = DiskInterface.Usb },
                ("if", "ide") => drive with { Interface = DiskInterface.Ide },
                ("bootindex", string number) => drive with { BootIndex = DiskOption.IndexOf(number) },
                _ => throw new FormatException($"CD drive option '{part}' is unknown; known are if=ahci|ide|scsi|usb, bootindex=N"),
            };
        }
        return drive;
    }
}
