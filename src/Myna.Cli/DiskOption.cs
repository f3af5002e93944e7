using System.Globalization;
using Myna.Machines;

namespace Myna.Cli;

/// <summary>A disk of the guest.</summary>
/// <param name="Serial">At most 20 ASCII characters.</param>
/// <param name="Mmio">On a virtio-mmio slot instead of PCI.</param>
/// <param name="Interface">The controller.</param>
/// <param name="BootIndex">Its place in the boot order.</param>
public sealed record DiskOption(string Path, bool ReadOnly = false, string Serial = "", bool Mmio = false, DiskInterface Interface = DiskInterface.Auto, int? BootIndex = null)
{
    /// <summary>Reads <c>FILE[,readonly][,serial=TEXT][,if=virtio|scsi|ahci|ide|nvme|usb|sd][,bootindex=N][,bus=pci|mmio][,format=raw]</c>; two commas in FILE stand for one.</summary>
    /// <exception cref="FormatException">Names the part that is wrong.</exception>
    public static DiskOption Parse(string text)
    {
        const string Comma = "\0";
        string[] parts = text.Replace(",,", Comma, StringComparison.Ordinal).Split(',');
        var disk = new DiskOption(parts[0].Replace(Comma, ",", StringComparison.Ordinal));
        if (disk.Path.Length == 0)
            throw new FormatException("the file's name is missing; write --disk FILE[,readonly]");
        foreach (string part in parts[1..])
        {
            string[] pair = part.Split('=', 2);
            disk = (pair[0], pair.Length > 1 ? pair[1] : null) switch
            {
                ("readonly" or "ro", null or "on") => disk with { ReadOnly = true },
                ("readonly" or "ro", "off") => disk with { ReadOnly = false },
                ("serial", string serial) when serial.Length is > 0 and <= 20 && serial.All(char.IsAscii) => disk with { Serial = serial },
                ("serial", _) => throw new FormatException("serial takes 1 to 20 ASCII characters"),
                ("if", string name) => disk with { Interface = InterfaceOf(name) },
                ("bootindex", string number) => disk with { BootIndex = IndexOf(number) },
                ("bus", "pci") => disk with { Mmio = false },
                ("bus", "mmio") => disk with { Mmio = true },
                ("format", "raw") => disk,
                ("format", string format) => throw new FormatException($"disk format '{format}' is unknown; only raw is supported"),
                _ => throw new FormatException($"disk option '{part}' is unknown; known are readonly, serial=TEXT, if=virtio|scsi|ahci|ide|nvme|usb|sd, bootindex=N, bus=pci|mmio, format=raw"),
            };
        }
        if (disk.Mmio && disk.Interface is not (DiskInterface.Auto or DiskInterface.Virtio))
            throw new FormatException("bus=mmio is for virtio disks; leave out if=");
        return disk;
    }

    internal static DiskInterface InterfaceOf(string name) => name switch
    {
        "virtio" => DiskInterface.Virtio,
        "ahci" or "sata" => DiskInterface.Ahci,
        "ide" => DiskInterface.Ide,
        "nvme" => DiskInterface.Nvme,
        "usb" => DiskInterface.Usb,
        "sd" => DiskInterface.Sd,
        "scsi" or "virtio-scsi" => DiskInterface.Scsi,
        _ => throw new FormatException($"there are no drives of if={name}; use virtio, scsi, ahci, ide, nvme, usb or sd"),
    };

    internal static int IndexOf(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int index)
        ? index : throw new FormatException($"bootindex takes a number, not '{text}'");
}
