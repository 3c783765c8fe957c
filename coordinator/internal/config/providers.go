package config

import (
	"fmt"
	"slices"

	"varde/checks"
)

// Provider is one of several whose services the fleet watches. They share the
// probes; each has its own services, pages and people.
type Provider struct {
	ID string `yaml:"id"`
	// Name is what people read, the id if not given.
	Name string `yaml:"name"`
	// Operators is the token by which the provider's own people see, on the
	// operators' listener, what is theirs and nothing else.
	Operators *checks.Secret `yaml:"operators"`
}

// MaxProviders bounds the providers of a configuration.
const MaxProviders = 100

// minToken is the smallest length of a token in characters, as ops.MinToken.
const minToken = 16

// providers checks them and the services that name one. While none is listed a
// service may name whomever it wants: then nobody has people of his own.
func (v *validator) providers(c Config) {
	v.count("providers", len(c.Providers), 0, MaxProviders, "provider")
	ids := collect(c.Providers, func(p Provider) string { return p.ID })
	v.unique("providers", ".id", ids)
	for i, p := range c.Providers {
		at := fmt.Sprintf("providers[%d]", i)
		v.id(at+".id", p.ID)
		v.text(at+".name", p.Name)
		if p.Operators != nil && p.Operators.File == "" {
			v.add(at+".operators.file", "got none, expected the path of a file with a token")
		}
	}
	if len(ids) == 0 {
		return
	}
	for i, s := range c.Services {
		if s.Provider != "" && !slices.Contains(ids, s.Provider) {
			v.add(fmt.Sprintf("services[%d].provider", i), "got %s, expected the id of a provider%s", quote(s.Provider), oneOf(ids))
		}
	}
}

// ProviderTokens reads the tokens of the providers' operators, by the id of the
// provider; one without a token is not among them. The error names every file
// that cannot be used, and never holds what stands in it.
func (c Config) ProviderTokens() (map[string]string, []*checks.FieldError) {
	tokens := map[string]string{}
	var faults []*checks.FieldError
	for i, p := range c.Providers {
		if p.Operators == nil || p.Operators.File == "" {
			continue
		}
		token, err := readSecret("operators", p.Operators.File)
		if err == nil && len(token) < minToken {
			err = fmt.Errorf("%d characters", len(token))
		}
		if err != nil {
			faults = append(faults, unreadable(fmt.Sprintf("providers[%d].operators.file", i), p.Operators.File, err,
				fmt.Sprintf("a file with a token of at least %d characters as its only line", minToken)))
			continue
		}
		tokens[p.ID] = token
	}
	return tokens, faults
}
