namespace Myna.Boot.Tests.Systems;

/// <summary>
/// Systems of Debian's packages come to their prompts, seen and typed at through VNC. They run when MYNA_SYSTEMS names the folder that
/// tools/systems has made.
/// </summary>
public sealed class SystemTests
{
    private const string Folder = "MYNA_SYSTEMS";

    private static string File(string name) => Path.Combine(Environment.GetEnvironmentVariable(Folder)!, name);

    private static SystemGuest Start(params string[] arguments) => Start(TimeSpan.FromMinutes(4), arguments);

    private static SystemGuest Start(TimeSpan limit, params string[] arguments)
        => new(TextPicture.FromVgaBios(File("vgabios-stdvga.bin")), limit, [.. arguments.Contains("--net") ? [] : new[] { "--net", "none" }, .. arguments]);

    [SystemTheory]
    [InlineData("q35", "--cdrom", "grub-rescue-cdrom.iso", "cd")]
    [InlineData("pc", "--cdrom", "grub-rescue-cdrom.iso", "cd")]
    [InlineData("q35", "--floppy", "grub-rescue-floppy.img", "fd0")]
    [InlineData("pc", "--floppy", "grub-rescue-floppy.img", "fd0")]
    public void GRUB_rescue(string board, string drive, string image, string name)
    {
        using SystemGuest guest = Start("--machine", board, "--firmware", "bios", drive, File(image) + (drive == "--floppy" ? ",readonly" : ""));
        CommandLine(guest).Types("ls\n").Sees($@"\({name}\)").Types("reboot\n").Loses("reboot");
        CommandLine(guest);
    }

    /// <summary>Past GRUB's menu, if there is one.</summary>
    private static SystemGuest CommandLine(SystemGuest guest)
    {
        guest.Sees("are highlighted|entry is highlighted|grub> *\n");
        return guest.Screen.Contains("highlighted", StringComparison.Ordinal) ? guest.Types("c").Sees("grub> *\n") : guest;
    }

    [SystemFact]
    public void GRUB_as_a_kernel()
    {
        using SystemGuest guest = Start("--firmware", "bios", "--kernel", File("grub.lkrn"));
        CommandLine(guest).Types("echo $" + "{grub_cpu}-$" + "{grub_platform}\n").Sees("i386-pc");
    }

    [SystemTheory]
    [InlineData("--cdrom", "ipxe.iso")]
    [InlineData("--kernel", "ipxe.lkrn")]
    public void IPXE_shell(string option, string image)
    {
        using SystemGuest guest = Start("--firmware", "bios", option, File(image), "--net", "user,model=e1000,rom=off");
        guest.Sees("Ctrl-B").PressControl('b').Sees("iPXE> *\n").Types("dhcp && echo $" + "{net0/ip} is mine\n").Sees(@"10\.0\.2\.15 is mine");
    }

    [SystemTheory]
    [InlineData("--kernel", "gnumach")]
    [InlineData("--cdrom", "mach.iso")]
    public void GNU_Mach(string option, string image)
    {
        using SystemGuest guest = Start([option, File(image), .. Bios(option)]);
        guest.Sees("GNU Mach 1").Sees("No bootstrap code loaded");
    }

    [SystemTheory]
    [InlineData("--kernel", "invaders.exec")]
    [InlineData("--cdrom", "invaders.iso")]
    public void Invaders_fly(string option, string image)
    {
        using SystemGuest guest = Start([option, File(image), .. Bios(option)]);
        guest.Sees(@"-\*-");
        guest.Loses(guest.Screen);
    }

    [SystemFact]
    public void U_Boot_as_a_PCs_firmware()
    {
        using var guest = new Conversation(["run", "--arch", "x86_64", "--machine", "q35", "--firmware", File("u-boot.rom"), "--net", "user,model=e1000", "--display", "none"]);
        guest.Await("Hit any key").Send("\r").Await("=> ").Send("dhcp none\r").Await(@"bound to address 10\.0\.2\.15").Send("\u0003").Await("=> ");
        guest.Send("mw.l 100000 6d796e61 4 && crc32 100000 10\r").Await("==> 49767876").Await("=> ");
        guest.Send("reset\r").Await("Hit any key").Send("\r").Await("=> ");
    }

    [SystemFact]
    public void Xen_with_a_Linux_dom0()
    {
        using SystemGuest guest = Start("--firmware", "bios", "--cdrom", File("xen.iso"), "--memory", "1G", "--cpus", "2");
        guest.Reads("Xen version 4").Reads("domain 0 is up: xen 2").Reads("# ").Writes("poweroff -f\r");
        Assert.Equal(0, guest.Status);
    }

    [SystemFact]
    public void Memtest_finishes_a_pass_on_two_CPUs()
    {
        using SystemGuest guest = Start(TimeSpan.FromMinutes(15), "--firmware", "bios", "--cdrom", File("memtest86+x64.iso"), "--cpus", "2", "--memory", "48M");
        guest.Sees("2 Cores 2 Threads").Sees(@"Pass: +1 +Errors: 0 ");
    }

    [SystemTheory]
    [InlineData("direct")]
    [InlineData("installer.iso")]
    [InlineData("isolinux.iso")]
    public void Debian_installers_first_screens(string from)
    {
        string[] media = from == "direct" ? ["--kernel", File("linux"), "--initrd", File("initrd.gz"), "--append", "console=tty0 vga=normal fb=false nomodeset"] : ["--firmware", "bios", "--cdrom", File(from)];
        using SystemGuest guest = Start(TimeSpan.FromMinutes(6), ["--memory", "1G", .. media]);
        if (from == "isolinux.iso")
            guest.Sees("boot: *\n").Types("\n");
        guest.Sees("Select a language").Types("\n").Sees("Select your location").Types("\n").Sees("Configure the keyboard").Types("\n").Sees("Detecting|network|Network");
    }

    private static string[] Bios(string option) => option == "--cdrom" ? ["--firmware", "bios"] : [];

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class SystemFactAttribute : FactAttribute
    {
        public SystemFactAttribute() => Skip = Why;
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class SystemTheoryAttribute : TheoryAttribute
    {
        public SystemTheoryAttribute() => Skip = Why;
    }

    private static string? Why => Environment.GetEnvironmentVariable(Folder) is null or "" ? $"takes minutes; {Folder}=FOLDER with what tools/systems made runs it" : null;
}
