using Myna.Host;
using Myna.Machines;

namespace Myna.Cli.Tests;

/// <summary>Options about what the host gives a machine, and where the process goes.</summary>
public sealed class HostOptionTests
{
    [Fact]
    public void Where_interrupt_controllers_are()
    {
        Assert.Equal(new AccelOption(Accel.Kvm, Irqchip.Auto), AccelOption.Parse("kvm"));
        Assert.Equal(new AccelOption(Accel.Kvm, Irqchip.Split), AccelOption.Parse("kvm,irqchip=split"));
        Assert.Equal(new AccelOption(Accel.Auto, Irqchip.Full), AccelOption.Parse("auto,irqchip=full"));
        Assert.Contains("irqchip=split", Assert.Throws<FormatException>(() => AccelOption.Parse("kvm,irqchip=none")).Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => AccelOption.Parse("jit,irqchip=off"));
        Assert.Throws<FormatException>(() => AccelOption.Parse("tcg"));
    }

    [Fact]
    public void Where_memory_comes_from()
    {
        const ulong Host = 1UL << 33;
        Assert.Equal(new MemoryOption(1UL << 30), MemoryOption.ParseAll("1G", Host));
        Assert.Equal(new MemoryOption(64 << 20, new MemoryBacking(HugePages.Reserved), Balloon: true), MemoryOption.ParseAll("64M,hugepages=on,balloon=on", Host));
        Assert.Equal(new MemoryOption(64 << 20, new MemoryBacking(HugePages.Transparent, "/x/y")), MemoryOption.ParseAll("64M,hugepages=transparent,file=/x/y", Host));
        Assert.Throws<FormatException>(() => MemoryOption.ParseAll("3M,hugepages=on", Host));
        Assert.Throws<FormatException>(() => MemoryOption.ParseAll("4M,hugepages=on,file=/x", Host));
        Assert.Throws<FormatException>(() => MemoryOption.ParseAll("4M,pages", Host));
    }

    [Fact]
    public void Where_the_process_goes()
    {
        Assert.Equal(new SandboxOption(true, new Confinement()), SandboxOption.Parse("on"));
        Assert.Equal(new SandboxOption(false, new Confinement((12, 34))), SandboxOption.Parse("off,user=12:34"));
        Assert.Equal(new Confinement((0, 0)), SandboxOption.Parse("user=root").Confinement);
        Assert.Equal(new Confinement(null, "/", "/sys/fs/cgroup/guests/one"), SandboxOption.Parse("chroot=/,cgroup=guests/one").Confinement);
        foreach (string wrong in (string[])["user=", "user=nobody-like-this", "chroot=/nowhere/at/all", "jail"])
            Assert.Throws<FormatException>(() => SandboxOption.Parse(wrong));
    }

    [Fact]
    public void A_control_group_gets_the_process()
    {
        string folder = Directory.CreateTempSubdirectory("myna-cgroup").FullName;
        try
        {
            IOException error = Assert.Throws<IOException>(() => new Confinement(Cgroup: folder).Enter());
            Assert.Contains("no control group", error.Message, StringComparison.Ordinal);

            // What the kernel keeps in every control group.
            File.WriteAllText(Path.Combine(folder, "cgroup.procs"), "");
            new Confinement(Cgroup: folder).Enter();
            Assert.Equal($"{Environment.ProcessId}\n", File.ReadAllText(Path.Combine(folder, "cgroup.procs")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
