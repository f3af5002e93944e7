namespace Myna.Machines.Guests;

// Firmware images, which are Debian packages too.
public sealed partial class GuestCache
{
    /// <summary>Myna's names of firmware, the package each is in, and its paths there: the image, then what belongs to it.</summary>
    private static readonly (string Arch, string Name, string Package, string[] Files)[] s_firmware =
    [
        ("x86_64", "bios", "seabios", ["usr/share/seabios/bios-256k.bin"]),
        ("x86_64", VgaBios, "seabios", ["usr/share/seabios/vgabios-stdvga.bin"]),
        ("x86_64", UefiName, "ovmf", ["usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"]),
        ("x86_64", NetRoms, "ipxe-qemu", ["usr/share/qemu/efi-virtio.rom", "usr/share/qemu/efi-e1000.rom", "usr/share/qemu/efi-e1000e.rom", "usr/share/qemu/efi-rtl8139.rom"]),
        ("riscv64", "opensbi", "opensbi", ["usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"]),
        ("riscv64", UefiName, "qemu-efi-riscv64", ["usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd", "usr/share/qemu-efi-riscv64/RISCV_VIRT_VARS.fd"]),
        ("riscv64", UBootName, "u-boot-qemu", ["usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"]),
    ];

    /// <summary>The option ROM of the standard VGA.</summary>
    public const string VgaBios = "vgabios";

    /// <summary>The option ROMs of network cards, each for BIOS and UEFI.</summary>
    public const string NetRoms = "netroms";

    /// <summary>The ROM of a card, beside the path that <see cref="FirmwareAsync"/> gave for <see cref="NetRoms"/>.</summary>
    public static string NetRom(string roms, NetModel model) => Path.Combine(Path.GetDirectoryName(roms)!, $"efi-{model.ToString().ToLowerInvariant()}.rom");

    /// <summary>Myna's name of EDK II, which has a template of its variables.</summary>
    public const string UefiName = "uefi";

    /// <summary>Myna's name of U-Boot for S-mode, which takes a kernel's place.</summary>
    public const string UBootName = "u-boot";

    /// <summary>The template of variables beside the path that <see cref="FirmwareAsync"/> gave for <see cref="UefiName"/>.</summary>
    public static string UefiVariables(string image)
    {
        string[] files = s_firmware.First(f => f.Name == UefiName && Path.GetFileName(f.Files[0]) == Path.GetFileName(image)).Files;
        return Path.Combine(Path.GetDirectoryName(image)!, Path.GetFileName(files[1]));
    }

    private const string FirmwareSuite = "trixie", FirmwareArch = "amd64";

    /// <summary>Names of the firmware that can be had for an architecture.</summary>
    public static IReadOnlyList<string> FirmwareNames(string arch) => [.. s_firmware.Where(f => f.Arch == arch && f.Name is not (VgaBios or NetRoms)).Select(f => f.Name)];

    /// <summary>The path of a firmware image, which is fetched at its first use.</summary>
    /// <exception cref="GuestException">It cannot be had.</exception>
    public Task<string> FirmwareAsync(string arch, string name, IGuestProgress progress, CancellationToken cancellation = default) =>
        GuardAsync(async () =>
        {
            (_, _, string package, string[] files) = s_firmware.First(f => f.Arch == arch && f.Name == name);
            string place = Path.Combine(root, "firmware", package), path = Path.Combine(place, Path.GetFileName(files[0]));
            if (File.Exists(path))
                return path;
            using FileStream held = await LockAsync(progress, cancellation).ConfigureAwait(false);
            if (File.Exists(path))
                return path;
            string temporary = place + $".new-{Environment.ProcessId}";
            Directory.CreateDirectory(temporary);
            try
            {
                progress.Step($"fetching the package {package} of Debian {FirmwareSuite}");
                AptSource source = AptSource.FromHost()
                    ?? throw new GuestException("this host's apt names no Debian archive to fetch the firmware from; add one to /etc/apt/sources.list, or give --firmware FILE");
                var archive = new AptArchive(Path.Combine(root, "apt", $"{FirmwareArch}-{FirmwareSuite}"), source, FirmwareSuite, FirmwareArch);
                await archive.UpdateAsync(cancellation).ConfigureAwait(false);
                List<AptPackage> packages = await archive.ClosureAsync(package, _ => false, cancellation).ConfigureAwait(false);
                string[] debs = await archive.DownloadAsync(packages, temporary, progress, cancellation).ConfigureAwait(false);
                Dictionary<string, byte[]> found = await DebPackage.ReadAsync(debs[0], f => files.Contains(f), cancellation).ConfigureAwait(false);
                // Files appear whole or not at all, and the image last.
                Directory.CreateDirectory(place);
                foreach (string file in files.Reverse())
                {
                    if (!found.TryGetValue(file, out byte[]? image))
                        throw new GuestException($"the package {package} holds no {file}; is this version of Myna too old for it?");
                    string partial = Path.Combine(temporary, "image");
                    await File.WriteAllBytesAsync(partial, image, cancellation).ConfigureAwait(false);
                    File.Move(partial, Path.Combine(place, Path.GetFileName(file)), overwrite: true);
                }
                return path;
            }
            finally
            {
                Directory.Delete(temporary, recursive: true);
            }
        });
}
