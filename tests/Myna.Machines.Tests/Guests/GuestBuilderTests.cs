using Myna.Machines.Guests;

namespace Myna.Machines.Tests.Guests;

public class GuestBuilderTests
{
    [Theory]
    [InlineData("boot/vmlinux-6.12.107+deb13-riscv64", "6.12.107+deb13-riscv64")]
    [InlineData("boot/vmlinuz-6.1.0-40-cloud-amd64", "6.1.0-40-cloud-amd64")]
    [InlineData("usr/lib/modules/7.2.13+deb14-riscv64/vmlinuz", "7.2.13+deb14-riscv64")]
    [InlineData("boot/System.map-6.12", null)]
    [InlineData("boot/config-6.12", null)]
    [InlineData("usr/share/vmlinuz", null)]
    [InlineData("usr/lib/modules/7.2.13/kernel/vmlinuz/x.ko", null)]
    public void A_kernel_is_known_by_its_path(string path, string? release) => Assert.Equal(release, GuestBuilder.ReleaseOf(path));
}
