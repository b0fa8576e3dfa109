# install, uninstall and dist: one list of what goes where, read by both.

GENERATED := $(patsubst systemd/%.in,$(OUT)/%,$(wildcard systemd/*.in))
DOCS      := $(wildcard LICENSE *.md doc/*)

# MODE:SOURCE:TARGET. A folder that is empty, as in "make install mandir=", leaves its
# files out.
INSTALLED := \
	program:$(PROGRAM):$(sbindir)/odmr-agent \
	program:$(PROVIDER):$(sbindir)/odmr-provider \
	$(foreach example,odmr-agent.yaml.example odmr-provider.yaml.example, \
		data:$(example):$(sysconfdir)/odmr-agent/$(example)) \
	$(if $(mandir),$(foreach section,5 8,$(foreach page,$(wildcard man/*.$(section)), \
		data:$(page):$(mandir)/man$(section)/$(notdir $(page))))) \
	$(if $(systemdunitdir), \
		$(foreach unit,odmr-agent.service odmr-agent-fetch.service \
			odmr-agent-online.path odmr-provider.service, \
			data:$(OUT)/$(unit):$(systemdunitdir)/$(unit)) \
		$(foreach unit,odmr-agent-fetch.timer odmr-agent-online.service \
			odmr-provider.socket, \
			data:systemd/$(unit):$(systemdunitdir)/$(unit))) \
	$(if $(sysusersdir),$(foreach half,agent provider, \
		data:$(OUT)/odmr-$(half).sysusers:$(sysusersdir)/odmr-$(half).conf)) \
	$(if $(bashcompdir), \
		data:contrib/bash-completion:$(bashcompdir)/odmr-agent \
		data:contrib/bash-completion-provider:$(bashcompdir)/odmr-provider) \
	$(if $(docdir), \
		$(foreach page,$(DOCS),data:$(page):$(docdir)/$(notdir $(page))) \
		data:systemd/sendmail.conf:$(docdir)/sendmail.conf \
		$(foreach file,crontab fail2ban-filter.conf fail2ban-jail.conf \
			prometheus/odmr-agent.rules.yaml \
			prometheus/grafana-dashboard.json, \
			data:contrib/$(file):$(docdir)/contrib/$(file)) \
		$(foreach script,ppp-ip-up networkmanager-dispatcher check_odmr_agent, \
			script:contrib/$(script):$(docdir)/contrib/$(script)))
# Nobody else's; removed when they are empty.
OWN_FOLDERS := $(if $(docdir),$(docdir)/contrib/prometheus $(docdir)/contrib $(docdir)) \
	$(sysconfdir)/odmr-agent

mode_of   = $(word 1,$(subst :, ,$(1)))
source_of = $(word 2,$(subst :, ,$(1)))
target_of = $(word 3,$(subst :, ,$(1)))
INSTALL_program = $(INSTALL_PROGRAM)
INSTALL_script  = $(INSTALL) -m 755
INSTALL_data    = $(INSTALL_DATA)

define put
	$(INSTALL) -d -m 755 "$(DESTDIR)$(dir $(call target_of,$(1)))"
	$(INSTALL_$(call mode_of,$(1))) $(call source_of,$(1)) \
		"$(DESTDIR)$(call target_of,$(1))"

endef

# Anew each time: the paths may be others than in the last run.
FORCE:
$(GENERATED): $(OUT)/%: systemd/%.in systemd/sandbox.conf systemd/hardening.conf FORCE
	@mkdir -p $(@D)
	@sed -e '/^@sandbox@$$/{r systemd/sandbox.conf' -e 'd' -e '}' $< | \
		sed -e '/^@hardening@$$/{r systemd/hardening.conf' -e 'd' -e '}' | \
		sed -e 's|@sbindir@|$(sbindir)|g' \
		-e 's|@sysconfdir@|$(sysconfdir)|g' \
		-e 's|@localstatedir@|$(localstatedir)|g' >$@

install: all $(GENERATED)	## install under DESTDIR and prefix
	$(foreach file,$(INSTALLED),$(call put,$(file)))

install-strip:		## the same, without symbols
	@$(MAKE) INSTALL_PROGRAM='$(INSTALL_PROGRAM) -s --strip-program=$(STRIP)' install

uninstall:		## remove what install has put there
	rm -f $(foreach file,$(INSTALLED),"$(DESTDIR)$(call target_of,$(file))")
	@for folder in $(OWN_FOLDERS); do \
		rmdir "$(DESTDIR)$$folder" 2>/dev/null || :; done

dist:			## pack what is committed
	@mkdir -p $(BUILD)
	git archive --format=tar --prefix=odmr-agent-$(VERSION)/ HEAD | \
		gzip -9n >$(BUILD)/odmr-agent-$(VERSION).tar.gz

# An archive cannot name its own digest, which a feed asks for. The version has one place.
openwrt: dist		## pack, and an OpenWrt package folder for the archive, in build/openwrt
	rm -rf $(BUILD)/openwrt
	cp -R contrib/openwrt $(BUILD)/openwrt
	digest=$$(sha256sum <$(BUILD)/odmr-agent-$(VERSION).tar.gz) && \
	sed -e 's/^PKG_VERSION:=.*/PKG_VERSION:=$(VERSION)/' \
		-e "s/^PKG_HASH:=.*/PKG_HASH:=$${digest%% *}/" \
		contrib/openwrt/Makefile >$(BUILD)/openwrt/Makefile

# `make deb VERSION=...` gives the packages another one.
deb:			## build Debian packages of what is committed, in build/deb
	contrib/deb $(VERSION) $(BUILD)/deb
