namespace Myna.Boot.Tests.Systems;

/// <summary>
/// Debian's installer, unattended, onto an empty disk from the host's package mirror, and the system that it installed. Half an hour and more: it
/// runs when MYNA_INSTALLER names the folder that tools/debian-installer has made.
/// </summary>
public sealed class DebianInstallerTests
{
    private const string Folder = "MYNA_INSTALLER";

    [InstallerFact]
    public void Debian_is_installed_and_starts()
    {
        string folder = Environment.GetEnvironmentVariable(Folder)!, disk = Path.GetTempFileName();
        try
        {
            using (FileStream file = new(disk, FileMode.Open))
                file.SetLength(6L << 30);
            string[] machine = ["run", "--arch", "x86_64", "--memory", "1G", "--cpus", "2", "--no-reboot", "--disk", disk];
            using (var installer = new Conversation(TimeSpan.FromHours(2), [.. machine, "--kernel", Path.Combine(folder, "linux"), "--initrd", Path.Combine(folder, "initrd.gz"),
                "--append", "auto=true priority=critical console=ttyS0 DEBIAN_FRONTEND=text TERM=dumb --- console=tty0 console=ttyS0"]))
            {
                const string Question = "Prompt: '?' for help";
                installer.Await("Installing the base system", Question).Await("Installing GRUB boot loader", Question).Await("Power down", Question);
                Assert.Equal(0, installer.End());
            }
            using var guest = new Conversation([.. machine, "--firmware", "bios"]);
            guest.Await("installed login: ").Send("root\r").Await("Password: ").Send("myna\r").Await(":~# ");
            guest.Send("systemctl is-system-running --wait\r").Await("\nrunning").Await(":~# ").Send("apt-get update && echo upda''ted\r").Await("updated").Await(":~# ");
            Assert.Equal(0, guest.Send("poweroff\r").End());
        }
        finally
        {
            File.Delete(disk);
        }
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class InstallerFactAttribute : FactAttribute
    {
        public InstallerFactAttribute()
        {
            if (Environment.GetEnvironmentVariable(Folder) is null or "")
                Skip = $"takes half an hour; {Folder}=FOLDER with what tools/debian-installer made runs it";
        }
    }
}
