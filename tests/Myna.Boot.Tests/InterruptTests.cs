namespace Myna.Boot.Tests;

/// <summary>Linux finds the board's interrupt controllers, whichever they are.</summary>
public class InterruptTests
{
    private static Result Count(params string[] options)
        => MynaProgram.Run("", ["run", "--cpus", "2", .. options, "--", "sh", "-c", "grep -c MSIX /proc/interrupts; grep -c PLIC /proc/interrupts; grep -c APLIC /proc/interrupts; true"]);

    [Fact]
    public void With_a_PLIC_devices_use_wires()
    {
        string[] counts = Count("--machine", "virt").Output.Split('\n');
        Assert.Equal(("0", "0"), (counts[0], counts[2]));
        Assert.NotEqual("0", counts[1]);
    }

    [Fact]
    public void With_AIA_PCI_devices_send_messages_and_the_UART_has_a_wire()
    {
        string[] counts = Count("--machine", "virt,aia=aplic-imsic").Output.Split('\n');
        Assert.NotEqual("0", counts[0]);
        Assert.NotEqual("0", counts[2]);
    }

    // Not the host's OpenSBI: up to 1.2 it marks a hart as started before it has written where (its commit e8e9ed37), and with
    // an IMSIC, whose message of the cold boot is pending still, the hart does not sleep but runs off at once.
    [Fact]
    public void With_AIA_a_firmware_delegates_to_Linux()
    {
        string[] counts = Count("--machine", "virt,aia=aplic-imsic", "--firmware", "opensbi").Output.Split('\n');
        Assert.NotEqual("0", counts[0]);
        Assert.NotEqual("0", counts[2]);
    }
}
