using System.Diagnostics;
using Myna.Boot.Tests.Systems;

namespace Myna.Boot.Tests;

/// <summary>
/// Firmware, GRUB and Debian from a disk to a login, and once more after a reboot inside the guest. Minutes each: they run when
/// MYNA_DEBIAN_DISKS names the folder that tools/debian-disks has made.
/// </summary>
public sealed class DebianDiskTests
{
    private const string Folder = "MYNA_DEBIAN_DISKS";

    [DebianDiskTheory]
    [InlineData("mbr.img", "q35", "bios", "ahci")]
    [InlineData("mbr.img", "q35", "bios", "virtio")]
    [InlineData("mbr.img", "q35", "bios", "scsi")]
    [InlineData("mbr.img", "q35", "bios", "usb")]
    [InlineData("mbr.img", "pc", "bios", "ide")]
    [InlineData("gpt.img", "q35", "bios", "nvme")]
    [InlineData("gpt.img", "q35", "uefi", "ahci")]
    [InlineData("gpt.img", "q35", "uefi", "nvme")]
    [InlineData("gpt.img", "q35", "uefi", "virtio")]
    [InlineData("gpt.img", "q35", "uefi", "scsi")]
    public void Debian_starts_twice(string image, string board, string firmware, string controller)
    {
        string folder = Directory.CreateTempSubdirectory("myna-test-").FullName;
        try
        {
            string disk = Path.Combine(folder, image);
            // Sparse: the images are mostly holes.
            using (Process copy = Process.Start("cp", ["--sparse=always", Path.Combine(Environment.GetEnvironmentVariable(Folder)!, image), disk]))
                copy.WaitForExit();
            string[] variables = firmware == "uefi" ? ["--uefi-vars", Path.Combine(folder, "vars.fd")] : [];
            using var guest = new Conversation(["run", "--machine", board, "--firmware", firmware, "--cpus", "2", "--net", "none", "--display", "none",
                "--disk", $"{disk},if={controller}", .. variables]);
            guest.Await("login: ").Send("root\r").Await(":~# ");
            if (firmware == "uefi")
                guest.Send("efibootmgr -c -d $(findmnt -no SOURCE / | sed 's/p*3$//') -p 1 -L Kept -l '\\EFI\\debian\\grubx64.efi'\r").Await(":~# ");
            guest.Send("systemctl reboot\r").Await("login: ").Send("root\r").Await(":~# ");
            if (firmware == "uefi")
                guest.Send("efibootmgr\r").Await("\\* Kept").Await(":~# ");
            Assert.Equal(0, guest.Send("poweroff\r").End());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>The console on a frame buffer: bochs-drm, virtio-gpu, and the ramfb that UEFI has set up (simpledrm).</summary>
    [DebianDiskTheory]
    [InlineData("mbr.img", "bios", "std")]
    [InlineData("mbr.img", "bios", "virtio")]
    [InlineData("gpt.img", "uefi", "virtio")]
    [InlineData("gpt.img", "uefi", "ramfb")]
    public void Debian_asks_for_a_login_on_the_screen(string image, string firmware, string screen)
    {
        string disk = Path.GetTempFileName();
        try
        {
            using (Process copy = Process.Start("cp", ["--sparse=always", Path.Combine(Environment.GetEnvironmentVariable(Folder)!, image), disk]))
                copy.WaitForExit();
            using var guest = new SystemGuest(TextPicture.FromVgaBios(VgaBios), TimeSpan.FromMinutes(10),
                "--firmware", firmware, "--cpus", "2", "--net", "none", "--vga", screen, "--disk", $"{disk},if=virtio");
            // The kernel's font is not the BIOS's, so nothing is read from the picture: what is typed there tells of itself on the serial port.
            guest.Reads("login: ").Types("root\n").TypesUntil("\necho se''en-$(tty) > /dev/ttyS0\n", "seen-/dev/tty1");
            guest.LeavesTextMode().Types("poweroff\n");
            Assert.Equal(0, guest.Status);
        }
        finally
        {
            File.Delete(disk);
        }
    }

    /// <summary>Where Myna keeps it; a machine with a screen has fetched it.</summary>
    private static string VgaBios => Path.Combine(Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache ? cache
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "myna", "firmware", "seabios", "vgabios-stdvga.bin");

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class DebianDiskTheoryAttribute : TheoryAttribute
    {
        public DebianDiskTheoryAttribute()
        {
            if (Environment.GetEnvironmentVariable(Folder) is null or "")
                Skip = $"takes minutes; {Folder}=FOLDER with what tools/debian-disks made runs it";
        }
    }
}
